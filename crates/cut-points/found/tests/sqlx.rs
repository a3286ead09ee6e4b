//! sqlx 0.9.0 on PostgreSQL.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use cut_points::{DelayProxy, World, world};
use cut_points_found::{finds, holds, ms, postgres};
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgAdvisoryLock, PgConnectOptions, PgPoolCopyExt as _, PgPoolOptions};
use sqlx::{Connection as _, PgConnection, PgPool};

static SERVER: LazyLock<PgConnectOptions> = LazyLock::new(|| {
    let (host, port) = postgres();
    PgConnectOptions::new()
        .host(host)
        .port(port)
        .username("postgres")
        .database("postgres")
});

static PROXY: LazyLock<DelayProxy> =
    LazyLock::new(|| DelayProxy::start(postgres(), ms(4)).expect("a proxy"));

/// A pool of one connection through the proxy, and what the server calls that connection.
struct Db {
    pool: PgPool,
    name: String,
}

impl Db {
    /// What the server says of the pool's connection, asked past the proxy.
    async fn server(&self, query: &'static str) -> i64 {
        let mut admin = PgConnection::connect_with(&SERVER)
            .await
            .expect("the server is there");
        let count = sqlx::query_scalar(query)
            .bind(&self.name)
            .fetch_one(&mut admin)
            .await;
        count.expect("a number")
    }
}

fn database() -> World<Db> {
    static NAMES: AtomicU32 = AtomicU32::new(0);
    let setup = async || {
        let number = NAMES.fetch_add(1, Ordering::SeqCst);
        let name = format!("cuts-{}-{number}", std::process::id());
        let options = SERVER
            .clone()
            .host("127.0.0.1")
            .port(PROXY.address().port());
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(ms(800))
            .connect_with(options.application_name(&name));
        let pool = pool.await.expect("the pool connects");
        let table = sqlx::query("create temporary table rows(x int)")
            .execute(&pool)
            .await;
        table.expect("a table");
        Db { pool, name }
    };
    // A pool gives its connection back in a task.
    world(setup).real_time().settle(ms(30))
}

const OPEN: &str = "select count(*) from pg_stat_activity \
    where application_name = $1 and state like 'idle in transaction%'";

const LOCKS: &str = "select count(*) from pg_locks join pg_stat_activity using (pid) \
    where application_name = $1 and locktype = 'advisory'";

#[test]
fn begin_leaves_a_transaction_open() {
    finds(
        "a transaction is open",
        "sqlx-postgres-0.9.0/src/transaction.rs",
        || {
            database()
                .check(async |db: &Db| {
                    assert_eq!(db.server(OPEN).await, 0, "a transaction is open")
                })
                .drop_everywhere(async |db: &Db| db.pool.begin().await?.rollback().await)
        },
    );
}

#[test]
fn copy_in_raw_takes_the_connection_away_for_good() {
    finds(
        "a second call failed: PoolTimedOut",
        "sqlx-postgres-0.9.0/src/copy.rs",
        || {
            database().drop_everywhere(async |db: &Db| {
                let copy = db.pool.copy_in_raw("copy rows from stdin").await?;
                copy.finish().await
            })
        },
    );
}

#[test]
fn finish_makes_the_next_borrower_read_the_wrong_answer() {
    // A call that ends with a copy and begins with an ordinary query.
    finds(
        "a second call failed: RowNotFound",
        "sqlx-postgres-0.9.0/src/copy.rs",
        || {
            database().drop_everywhere(async |db: &Db| {
                let one: i32 = sqlx::query_scalar("select $1")
                    .bind(1)
                    .fetch_one(&db.pool)
                    .await?;
                assert_eq!(one, 1);
                let mut copy = db.pool.copy_in_raw("copy rows from stdin").await?;
                copy.send(&b"1\n"[..]).await?;
                copy.finish().await
            })
        },
    );
}

#[test]
fn release_now_gives_a_connection_back_that_holds_the_lock() {
    finds(
        "the lock is still held",
        "sqlx-postgres-0.9.0/src/advisory_lock.rs",
        || {
            database()
                .check(async |db: &Db| {
                    assert_eq!(db.server(LOCKS).await, 0, "the lock is still held")
                })
                .drop_everywhere(async |db: &Db| {
                    let lock = PgAdvisoryLock::new("nightly");
                    let guard = lock.acquire(db.pool.acquire().await?).await?;
                    guard.release_now().await.map(drop)
                })
        },
    );
}

#[test]
fn a_query_and_a_transaction_that_was_begun_hold() {
    let report = database()
        .check(async |db: &Db| assert_eq!(db.server(OPEN).await, 0, "a transaction is open"))
        .drop_everywhere(async |db: &Db| {
            let one: i32 = sqlx::query_scalar("select $1")
                .bind(1)
                .fetch_one(&db.pool)
                .await?;
            let two: i32 = sqlx::query_scalar("select $1")
                .bind(2)
                .fetch_one(&db.pool)
                .await?;
            assert_eq!((one, two), (1, 2));
            Ok::<_, sqlx::Error>(())
        });
    holds(&report);
}

#[test]
fn a_migrator_that_is_cut_keeps_its_lock() {
    let migrator = || Migrator::with_migrations(Vec::new());
    finds(
        "the lock is still held",
        "sqlx-core-0.9.0/src/migrate/migrator.rs",
        || {
            database()
                .check(async |db: &Db| {
                    assert_eq!(db.server(LOCKS).await, 0, "the lock is still held")
                })
                .drop_everywhere(async move |db: &Db| migrator().run(&db.pool).await)
        },
    );
}
