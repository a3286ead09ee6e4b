//! sqlx 0.9.0: a time limit around `copy_in_raw` takes its connection out of the pool for good.

use std::time::Duration;

use sqlx::Connection as _;
use sqlx::postgres::{PgConnection, PgPoolCopyExt as _, PgPoolOptions};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::var("DATABASE_URL")?;
    let options = PgPoolOptions::new().max_connections(1);
    let options = options.acquire_timeout(Duration::from_secs(2));
    let pool = options.connect(&url).await?;
    let mut other = PgConnection::connect(&url).await?;
    let table = sqlx::query("create table if not exists locked(x int)");
    table.execute(&mut other).await?;
    let mut transaction = other.begin().await?;
    let lock = sqlx::query("lock table locked"); // so that COPY waits
    lock.execute(&mut *transaction).await?;
    let copy = pool.copy_in_raw("copy locked from stdin");
    let timed_out = tokio::time::timeout(Duration::from_millis(500), copy).await;
    assert!(timed_out.is_err());
    transaction.rollback().await?;
    let acquired = pool.acquire().await;
    println!("{acquired:?}");
    assert!(matches!(acquired, Err(sqlx::Error::PoolTimedOut)));
    Ok(())
}
