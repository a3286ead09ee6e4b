//! PostgreSQL through sqlx: the same promises, kept with `pg_cancel_backend`.

use std::future::Future;
use std::sync::LazyLock;
use std::time::Duration;

use servers::Postgres;
use sqlx::postgres::PgPoolOptions;
use sqlx::{Connection as _, PgPool};
use tokio::time::{Instant, timeout};
use tokio_ctx_core::Context;
use tokio_ctx_db::Settings;
use tokio_ctx_db::sqlx_postgres::Pool;

/// Stopped by the process that watches this one.
static SERVER: LazyLock<Option<Postgres>> = LazyLock::new(|| servers::or_skip(Postgres::start()));

const PATIENCE: Duration = Duration::from_secs(30);
const SOON: Duration = Duration::from_millis(50);

struct Server {
    url: String,
    watcher: PgPool,
}

fn with_server<F: Future<Output = ()>>(test: impl FnOnce(Server) -> F) {
    let Some(server) = &*SERVER else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let url = format!("{}?sslmode=disable", server.url());
        let watcher = PgPoolOptions::new().max_connections(1).connect(&url).await;
        let watcher = watcher.expect("the server is there");
        let test = timeout(PATIENCE, test(Server { url, watcher }));
        test.await.expect("the test hangs");
    });
}

impl Server {
    async fn pool(&self, size: u32) -> Pool {
        self.pool_as(&self.url, size).await
    }

    async fn pool_as(&self, url: &str, size: u32) -> Pool {
        let work = PgPoolOptions::new()
            .max_connections(size)
            .connect(url)
            .await;
        let work = work.expect("the server is there");
        let pool = Pool::new(&Context::background(), work).await.unwrap();
        let settings = Settings::default().grace(PATIENCE / 2);
        pool.with_settings(settings.cancel_timeout(PATIENCE / 2))
    }

    async fn count(&self, sql: &'static str) -> i64 {
        let count = sqlx::query_scalar(sql).fetch_one(&self.watcher).await;
        count.expect("the server answers")
    }

    async fn running(&self, text: &str) -> i64 {
        let sql = "select count(*) from pg_stat_activity
                   where state = 'active' and pid <> pg_backend_pid() and query like $1";
        let count = sqlx::query_scalar(sql).bind(format!("%{text}%"));
        count
            .fetch_one(&self.watcher)
            .await
            .expect("the server answers")
    }

    async fn run(&self, sql: &'static str) {
        let ran = sqlx::raw_sql(sql).execute(&self.watcher).await;
        ran.expect("the server answers");
    }
}

/// A query answers, and finds no transaction.
async fn assert_clean(pool: &Pool) {
    let ctx = Context::background();
    let mut db = pool.get(&ctx).await.unwrap();
    let sql = "select now() = statement_timestamp()";
    let idle = db.under(&ctx, async |c| {
        use sqlx::Row as _;
        let row = sqlx::raw_sql(sql).fetch_one(c).await?;
        row.try_get::<bool, _>(0)
    });
    assert!(idle.await.unwrap().unwrap(), "a transaction is open");
}

#[test]
fn a_query_has_stopped_at_the_server_when_its_caller_is_answered() {
    with_server(async |server| {
        const MINE: &str = "select pg_sleep(801)";
        let pool = server.pool(1).await;
        let ctx = Context::background();
        let mut db = pool.get(&ctx).await.unwrap();
        let soon = ctx.with_timeout(SOON);
        let work = db.under(&soon, async |c| sqlx::query(MINE).execute(c).await);
        assert!(work.await.unwrap_err().cancelled().is_some());
        assert_eq!(server.running(MINE).await, 0);
        drop(db);
        assert_clean(&pool).await;
        assert_eq!(pool.counts().cleaned, 1);
    });
}

#[test]
fn a_query_whose_future_is_dropped_stops_at_the_server() {
    with_server(async |server| {
        const MINE: &str = "select pg_sleep(802)";
        let pool = server.pool(1).await;
        let ctx = Context::background();
        let mut db = pool.get(&ctx).await.unwrap();
        let work = db.under(&ctx, async |c| sqlx::query(MINE).execute(c).await);
        assert!(timeout(SOON, work).await.is_err());
        drop(db);
        assert_clean(&pool).await;
        assert_eq!(server.running(MINE).await, 0);
        assert_eq!(pool.counts().cleaned, 1);
    });
}

#[test]
fn a_transaction_that_is_cut_is_rolled_back() {
    with_server(async |server| {
        server.run("create table sqlx_cut (a int)").await;
        let pool = server.pool(1).await;
        let ctx = Context::background();
        for is_dropped in [false, true] {
            let mut db = pool.get(&ctx).await.unwrap();
            let soon = ctx.with_timeout(SOON);
            let work = db.transaction(if is_dropped { &ctx } else { &soon }, async |tx| {
                sqlx::query("insert into sqlx_cut values (1)")
                    .execute(&mut **tx)
                    .await?;
                sqlx::query("select pg_sleep(803)").execute(&mut **tx).await
            });
            let limit = if is_dropped { SOON * 4 } else { PATIENCE };
            match timeout(limit, work).await {
                Ok(cut) => assert!(cut.unwrap_err().cancelled().is_some()),
                Err(_) => assert!(is_dropped),
            }
            drop(db);
            assert_clean(&pool).await;
        }
        assert_eq!(server.count("select count(*) from sqlx_cut").await, 0);
    });
}

#[test]
fn a_transaction_is_committed_when_its_work_is_ok() {
    with_server(async |server| {
        server.run("create table sqlx_kept (a int)").await;
        let pool = server.pool(1).await;
        let ctx = Context::background();
        let mut db = pool.get(&ctx).await.unwrap();
        let work = db.transaction(&ctx, async |tx| {
            sqlx::query("insert into sqlx_kept values (1)")
                .execute(&mut **tx)
                .await?;
            let mut inner = tx.begin().await?;
            sqlx::query("insert into sqlx_kept values (2)")
                .execute(&mut *inner)
                .await?;
            inner.rollback().await
        });
        work.await.unwrap().unwrap();
        assert_eq!(server.count("select count(*) from sqlx_kept").await, 1);
    });
}

/// sqlx leaves a transaction to the next user when `begin` is dropped while it is under way.
#[test]
fn a_begin_that_is_dropped_at_any_moment_leaves_no_transaction() {
    with_server(async |server| {
        let pool = server.pool(1).await;
        let ctx = Context::background();
        for round in 0..100_u32 {
            let mut db = pool.get(&ctx).await.unwrap();
            let work = db.transaction(&ctx, async |_| {
                std::future::pending::<()>().await;
                Ok::<(), sqlx::Error>(())
            });
            let moment = Duration::from_micros(u64::from(round % 20) * 20);
            assert!(timeout(moment, work).await.is_err());
            drop(db);
            assert_clean(&pool).await;
        }
    });
}

/// sqlx loses the place of a connection when COPY is dropped in the middle, and count of its answers.
#[test]
fn copy_is_cut_and_its_place_is_free() {
    with_server(async |server| {
        server.run("create table sqlx_copied (a text)").await;
        let pool = server.pool(1).await;
        let ctx = Context::background();
        for is_dropped in [false, true] {
            let mut db = pool.get(&ctx).await.unwrap();
            let soon = ctx.with_timeout(SOON);
            let work = db.under(if is_dropped { &ctx } else { &soon }, async |c| {
                let mut copy = c.copy_in_raw("copy sqlx_copied from stdin").await?;
                loop {
                    copy.send(&b"line\n"[..]).await?;
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                #[expect(unreachable_code, reason = "the type of what never returns")]
                Ok::<(), sqlx::Error>(())
            });
            let limit = if is_dropped { SOON * 4 } else { PATIENCE };
            match timeout(limit, work).await {
                Ok(cut) => assert!(cut.unwrap_err().cancelled().is_some()),
                Err(_) => assert!(is_dropped),
            }
            drop(db);
            assert_clean(&pool).await;
        }
        assert_eq!(server.count("select count(*) from sqlx_copied").await, 0);
        assert_eq!(server.running("copy sqlx_copied").await, 0);
    });
}

#[test]
fn a_role_without_rights_cancels_its_own_queries() {
    with_server(async |server| {
        server.run("create role app login").await;
        let url = server.url.replace("postgres@", "app@");
        let pool = server.pool_as(&url, 1).await;
        let ctx = Context::background();
        let mut db = pool.get(&ctx).await.unwrap();
        let soon = ctx.with_timeout(SOON);
        let work = db.under(&soon, async |c| {
            sqlx::query("select pg_sleep(804)").execute(c).await
        });
        assert!(work.await.unwrap_err().cancelled().is_some());
        assert_eq!(pool.counts().cleaned, 1);
    });
}

#[test]
fn nobody_else_is_hit() {
    with_server(async |server| {
        let pool = server.pool(2).await;
        let one = async |pool: Pool, seed: u64| {
            let ctx = Context::background();
            for round in 0..60 {
                let mut db = pool.get(&ctx).await.unwrap();
                let micros = 200 + (seed * 7919 + round * 104_729) % 2_500;
                let soon = ctx.with_timeout(Duration::from_micros(micros));
                let work = db.under(&soon, async |c| {
                    sqlx::query("select pg_sleep(0.001)").execute(c).await
                });
                if let Ok(answer) = work.await {
                    answer.expect("only its own context cuts it");
                }
                drop(db);
                let mut next = pool.get(&ctx).await.unwrap();
                let next = next.under(&ctx, async |c| {
                    sqlx::query("select pg_sleep(0.002)").execute(c).await
                });
                next.await.unwrap().expect("nobody cancels the next query");
            }
        };
        let (a, b, c) = (pool.clone(), pool.clone(), pool.clone());
        tokio::join!(one(a, 1), one(b, 2), one(c, 3));
        let counts = pool.counts();
        assert!(counts.cuts > 0, "nothing was cut: {counts:?}");
        assert_eq!(counts.cuts, counts.cleaned, "{counts:?}");
    });
}

/// sqlx alone: the left column of `docs/appendix/drivers.md`.
#[test]
fn without_us_a_dropped_query_runs_on_and_holds_its_place() {
    with_server(async |server| {
        const SLEEP: &str = "select pg_sleep(1.02)";
        let pool = PgPoolOptions::new().max_connections(1).connect(&server.url);
        let pool = pool.await.unwrap();
        let began = Instant::now();
        let query = timeout(SOON, sqlx::raw_sql(SLEEP).execute(&pool)).await;
        assert!(query.is_err(), "it was to be dropped");
        assert_eq!(server.running(SLEEP).await, 1);
        sqlx::raw_sql("select 1").execute(&pool).await.unwrap();
        assert!(began.elapsed() >= Duration::from_secs(1));
    });
}
