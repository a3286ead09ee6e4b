//! Work on databases, cut at every point: dropped there, or cancelled.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use cut_points::{DelayProxy, World, world};
use deadpool_postgres::Manager;
use rusqlite::Connection;
use servers::Postgres;
use spawn_scoped::scope;
use sqlx::postgres::PgPoolOptions;
use tokio_ctx_core::Context;
use tokio_ctx_db::{Error, postgres, sqlite, sqlx_postgres};
use tokio_postgres::{Client, Config, NoTls};

/// Stopped by the process that watches this one.
static SERVER: LazyLock<Option<Postgres>> = LazyLock::new(|| servers::or_skip(Postgres::start()));

/// So that a call has done all that it can do before an answer comes, in each run.
const DELAY: Duration = Duration::from_millis(4);

/// What a clean-up takes, with time for a busy machine.
const SETTLE: Duration = Duration::from_millis(80);

/// A pool of one connection through a proxy, and a way to the server past it.
struct Db<P> {
    pool: P,
    watcher: Client,
    name: String,
}

impl<P> Db<P> {
    async fn new(server: &Postgres, pool: impl AsyncFn(&str) -> P) -> Db<P> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("cut_{}", NUMBER.fetch_add(1, Ordering::SeqCst));
        let config: Config = server.conninfo().parse().expect("it is well-formed");
        let (watcher, connection) = config.connect(NoTls).await.expect("the server is there");
        tokio::spawn(connection);
        let table = format!("create table {name} (a int)");
        watcher.batch_execute(&table).await.expect("a table");
        let pool = pool(&name).await;
        Db {
            pool,
            watcher,
            name,
        }
    }

    /// Of a call either all has happened or nothing, nothing runs at the server, and no
    /// transaction is open there.
    async fn check(&self) {
        let sum = format!("select coalesce(sum(a), 0) from {}", self.name);
        assert_eq!(self.count(&sum).await, 0, "half of a transaction");
        let busy = format!(
            "select count(*) from pg_stat_activity
             where application_name = '{}' and state <> 'idle'",
            self.name
        );
        assert_eq!(self.count(&busy).await, 0, "a session is busy");
    }

    async fn count(&self, sql: &str) -> i64 {
        let row = self.watcher.query_one(sql, &[]).await;
        row.expect("the server answers").get(0)
    }

    fn inserts(&self) -> [String; 2] {
        [1, -1].map(|a| format!("insert into {} values ({a})", self.name))
    }
}

fn proxy(server: &Postgres) -> DelayProxy {
    DelayProxy::start(("127.0.0.1", server.port()), DELAY).expect("a port is free")
}

type Deadpool = Db<postgres::Pool>;

fn deadpool(server: &'static Postgres, port: u16) -> World<Deadpool> {
    let setup = async move || {
        Db::new(server, async |name: &str| {
            let mut config = Config::new();
            config.host("127.0.0.1").port(port).user("postgres");
            config.application_name(name);
            let pool = deadpool_postgres::Pool::builder(Manager::new(config.clone(), NoTls));
            let pool = pool.max_size(1).build().expect("it has a runtime");
            drop(pool.get().await.expect("the server is there"));
            postgres::Pool::new(pool, &config, NoTls)
        })
        .await
    };
    let check = async |db: &Deadpool| db.check().await;
    world(setup).real_time().settle(SETTLE).check(check)
}

/// A query, whose answer must be its own, and a transaction.
async fn deadpool_work(db: &Deadpool, ctx: &Context) -> Result<(), Error> {
    let mut connection = db.pool.get(ctx).await?;
    let seven = connection.under(ctx, async |c| c.query_one("select 7", &[]).await);
    let seven: i32 = seven.await?.expect("nobody else cancels it").get(0);
    assert_eq!(seven, 7);
    let [first, second] = db.inserts();
    let work = connection.transaction(ctx, async |tx| {
        tx.execute(&first, &[]).await?;
        tx.execute(&second, &[]).await
    });
    work.await?.expect("nobody else cancels it");
    Ok(())
}

#[test]
fn tokio_postgres_under_a_context_may_be_cut_anywhere() {
    let Some(server) = &*SERVER else { return };
    let proxy = proxy(server);
    let world = || deadpool(server, proxy.address().port());
    let dropped = world().drop_everywhere(async |db: &Deadpool| {
        let ctx = Context::background();
        deadpool_work(db, &ctx).await
    });
    dropped.assert_ok();
    assert!(dropped.points() > 5, "{dropped}");
    let cancelled = world()
        .cancel_everywhere(async |db: &Deadpool, ctx: &Context| deadpool_work(db, ctx).await);
    cancelled.assert_ok();
    println!("{}\n{}", dropped.summary(), cancelled.summary());
}

type Sqlx = Db<sqlx_postgres::Pool>;

fn sqlx(server: &'static Postgres, port: u16) -> World<Sqlx> {
    let setup = async move || {
        Db::new(server, async |name: &str| {
            let url = format!(
                "postgres://postgres@127.0.0.1:{port}/postgres?sslmode=disable&application_name={name}"
            );
            let pool = PgPoolOptions::new().max_connections(1).connect(&url).await;
            let pool = pool.expect("the server is there");
            let pool = sqlx_postgres::Pool::new(&Context::background(), pool).await;
            pool.expect("the server is there")
        })
        .await
    };
    let check = async |db: &Sqlx| db.check().await;
    world(setup).real_time().settle(SETTLE).check(check)
}

async fn sqlx_work(db: &Sqlx, ctx: &Context) -> Result<(), Error> {
    let mut connection = db.pool.get(ctx).await?;
    let seven = connection.under(ctx, async |c| {
        let seven = sqlx::query_scalar::<_, i32>("select $1").bind(7);
        seven.fetch_one(c).await
    });
    assert_eq!(seven.await?.expect("nobody else cancels it"), 7);
    let [first, second] = db.inserts().map(sqlx::AssertSqlSafe);
    let work = connection.transaction(ctx, async |tx| {
        sqlx::query(first).execute(&mut **tx).await?;
        sqlx::query(second).execute(&mut **tx).await
    });
    work.await?.expect("nobody else cancels it");
    Ok(())
}

#[test]
fn sqlx_under_a_context_may_be_cut_anywhere() {
    let Some(server) = &*SERVER else { return };
    let proxy = proxy(server);
    let world = || sqlx(server, proxy.address().port());
    let dropped = world().drop_everywhere(async |db: &Sqlx| {
        let ctx = Context::background();
        sqlx_work(db, &ctx).await
    });
    dropped.assert_ok();
    assert!(dropped.points() > 5, "{dropped}");
    let cancelled =
        world().cancel_everywhere(async |db: &Sqlx, ctx: &Context| sqlx_work(db, ctx).await);
    cancelled.assert_ok();
    println!("{}\n{}", dropped.summary(), cancelled.summary());
}

type Sqlite = Arc<Mutex<Connection>>;

fn locked(db: &Sqlite) -> std::sync::MutexGuard<'_, Connection> {
    db.lock().unwrap_or_else(PoisonError::into_inner)
}

fn memory() -> World<Sqlite> {
    let setup = async || {
        let conn = Connection::open_in_memory().expect("it needs no file");
        let table = conn.execute_batch("create table t (a int)");
        table.expect("a table");
        Arc::new(Mutex::new(conn))
    };
    let check = async |db: &Sqlite| {
        let conn = locked(db);
        assert!(conn.is_autocommit(), "a transaction is open");
        let sum = conn.query_row("select coalesce(sum(a), 0) from t", [], |row| row.get(0));
        assert_eq!(sum, Ok(0_i64), "half of a transaction");
    };
    world(setup).real_time().settle(SETTLE).check(check)
}

async fn sqlite_work(db: &Sqlite, ctx: &Context) -> Result<(), Error> {
    let db = Arc::clone(db);
    scope(ctx, async |s| {
        let work = s.spawn_blocking(move |ctx| {
            sqlite::transaction(&ctx, &mut locked(&db), |tx| {
                // Long enough that a cut finds it under way.
                let many = "with recursive n(i) as
                            (select 1 union all select i + 1 from n where i < 100000)
                            insert into t select 1 from n";
                // As careless as it can be: a cut has rolled this back, and what follows must not
                // be committed alone.
                let _ = tx.execute(many, []);
                tx.execute("insert into t values (-100000)", [])
            })
        });
        work.await?.map_err(|error| panic!("{error}"))
    })
    .await
    .map(|_: usize| ())
}

#[test]
fn rusqlite_under_a_context_may_be_cut_anywhere() {
    let dropped = memory().drop_everywhere(async |db: &Sqlite| {
        let ctx = Context::background();
        sqlite_work(db, &ctx).await
    });
    dropped.assert_ok();
    assert!(dropped.points() > 0, "{dropped}");
    let cancelled =
        memory().cancel_everywhere(async |db: &Sqlite, ctx: &Context| sqlite_work(db, ctx).await);
    cancelled.assert_ok();
    println!("{}\n{}", dropped.summary(), cancelled.summary());
}
