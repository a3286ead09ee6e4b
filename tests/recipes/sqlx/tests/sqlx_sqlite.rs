//! sqlx 0.9 with SQLite: a thread of sqlx's own for each connection.

use std::time::Duration;

use sqlx::sqlite::{SqlitePool, SqlitePoolOptions};
use sqlx::{SqliteConnection, query_scalar};
use tokio_ctx_core::{Cancelled, Context};

// RECIPE
/// Runs `work` on a connection of `pool`; SQLite asks the context every thousand instructions.
///
/// When the future is dropped, its context ends, and so does the statement.
async fn under<T>(
    ctx: &Context,
    pool: &SqlitePool,
    work: impl AsyncFnOnce(&mut SqliteConnection) -> sqlx::Result<T>,
) -> Result<sqlx::Result<T>, Cancelled> {
    let own = ctx.with_cancel();
    let worked = async {
        let mut db = pool.acquire().await?;
        let asking = Context::clone(&own);
        let mut handle = db.lock_handle().await?;
        handle.set_progress_handler(1_000, move || !asking.is_done());
        drop(handle);
        work(&mut db).await
    };
    match own.run(worked).await? {
        Err(error) => own.check().map(|()| Err(error)),
        worked => Ok(worked),
    }
}

/// The next user of the connection does not get the handler of the one before.
fn options() -> SqlitePoolOptions {
    SqlitePoolOptions::new().before_acquire(|db, _| {
        Box::pin(async move {
            // Waits for a statement that is being stopped.
            db.lock_handle().await?.remove_progress_handler();
            Ok(true)
        })
    })
}
// END

const ENDLESS: &str = "with recursive n(i) as (select 1 union all select i + 1 from n)
                       select count(*) from n";

async fn pool() -> SqlitePool {
    let options = options().max_connections(1);
    options.connect("sqlite::memory:").await.unwrap()
}

async fn count(db: &mut SqliteConnection, sql: &'static str) -> sqlx::Result<i64> {
    query_scalar(sql).fetch_one(db).await
}

#[tokio::test]
async fn a_query_stops_when_its_context_ends() {
    let pool = pool().await;
    let root = Context::background();
    let soon = root.with_timeout(Duration::from_millis(50));
    let endless = under(&soon, &pool, async |db| count(db, ENDLESS).await);
    assert!(endless.await.unwrap_err().is_timeout());
    let seven = under(&root, &pool, async |db| count(db, "select 7").await);
    let seven = tokio::time::timeout(Duration::from_secs(20), seven).await;
    assert_eq!(seven.expect("the other one runs on").unwrap().unwrap(), 7);
}

#[tokio::test]
async fn a_query_stops_when_its_future_is_dropped() {
    let pool = pool().await;
    let root = Context::background();
    let endless = under(&root, &pool, async |db| count(db, ENDLESS).await);
    assert!(
        tokio::time::timeout(Duration::from_millis(50), endless)
            .await
            .is_err()
    );
    let mut next = pool.acquire().await.unwrap();
    let seven = count(&mut next, "select 7");
    let seven = tokio::time::timeout(Duration::from_secs(20), seven).await;
    assert_eq!(seven.expect("the other one runs on").unwrap(), 7);
}
