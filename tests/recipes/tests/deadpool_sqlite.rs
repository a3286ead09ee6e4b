//! deadpool-sqlite 0.14: a pool, whose connections work on the runtime's blocking threads.

use std::time::Duration;

use deadpool_sqlite::{Config, InteractError, Pool, Runtime, rusqlite};
use tokio_ctx_core::{Cancelled, Context};

// RECIPE
/// Runs `work` on a connection of `pool`; SQLite asks the context every thousand instructions.
///
/// When the future is dropped, its context ends, and so does the statement; the next user of the
/// connection waits for that.
async fn under<T: Send + 'static>(
    ctx: &Context,
    pool: &Pool,
    work: impl FnOnce(&mut rusqlite::Connection) -> rusqlite::Result<T> + Send + 'static,
) -> Result<Result<T, Box<dyn std::error::Error + Send + Sync>>, Cancelled> {
    let own = ctx.with_cancel();
    let db = match own.run(pool.get()).await? {
        Ok(db) => db,
        Err(error) => return Ok(Err(error.into())),
    };
    let ctx = Context::clone(&own);
    let worked = db.interact(move |conn| {
        let asking = ctx.clone();
        conn.progress_handler(1_000, Some(move || asking.is_done()))?;
        let worked = work(conn);
        conn.progress_handler(0, None::<fn() -> bool>)?;
        if worked.is_err() && ctx.is_done() && !conn.is_autocommit() {
            conn.execute_batch("rollback")?;
        }
        worked
    });
    match worked.await {
        Ok(Ok(output)) => Ok(Ok(output)),
        Ok(Err(error)) => own.check().map(|()| Err(error.into())),
        Err(InteractError::Panic(panic)) => std::panic::resume_unwind(panic),
        Err(error) => own.check().map(|()| Err(error.to_string().into())),
    }
}
// END

const ENDLESS: &str = "with recursive n(i) as (select 1 union all select i + 1 from n)
                       select count(*) from n";

fn count(conn: &rusqlite::Connection, sql: &str) -> rusqlite::Result<i64> {
    conn.query_row(sql, [], |row| row.get(0))
}

fn pool() -> Pool {
    let config = Config::new(":memory:");
    let builder = config.builder(Runtime::Tokio1).unwrap();
    builder.max_size(1).build().unwrap()
}

#[tokio::test]
async fn a_query_stops_when_its_context_ends() {
    let pool = pool();
    let root = Context::background();
    let soon = root.with_timeout(Duration::from_millis(50));
    let endless = under(&soon, &pool, |conn| count(conn, ENDLESS));
    assert!(endless.await.unwrap_err().is_timeout());
    let seven = under(&root, &pool, |conn| count(conn, "select 7"));
    assert_eq!(seven.await.unwrap().unwrap(), 7);
}

#[tokio::test]
async fn a_query_stops_when_its_future_is_dropped() {
    let pool = pool();
    let root = Context::background();
    let endless = under(&root, &pool, |conn| count(conn, ENDLESS));
    assert!(
        tokio::time::timeout(Duration::from_millis(50), endless)
            .await
            .is_err()
    );
    let seven = under(&root, &pool, |conn| count(conn, "select 7"));
    let seven = tokio::time::timeout(Duration::from_secs(20), seven).await;
    assert_eq!(seven.expect("the other one runs on").unwrap().unwrap(), 7);
}

#[tokio::test]
async fn the_wait_for_a_connection_ends_with_its_context() {
    let pool = pool();
    let held = pool.get().await.unwrap();
    let soon = Context::background().with_timeout(Duration::from_millis(20));
    let waited = under(&soon, &pool, |conn| count(conn, "select 7")).await;
    assert!(waited.unwrap_err().is_timeout());
    drop(held);
}
