//! sqlx 0.9.0: `release_now`, dropped, gives back a healthy connection that holds the lock.

use sqlx::postgres::{PgAdvisoryLock, PgConnection, PgPoolOptions};
use sqlx::{Connection as _, Either};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::var("DATABASE_URL")?;
    let options = PgPoolOptions::new().max_connections(1);
    let pool = options.connect(&url).await?;
    let lock = PgAdvisoryLock::new("nightly");
    let guard = lock.acquire(pool.acquire().await?).await?;
    tokio::select! {
        biased;
        _ = guard.release_now() => {}
        () = std::future::ready(()) => {}
    }
    drop(pool.acquire().await?); // it is back, and answers
    let other = lock.try_acquire(PgConnection::connect(&url).await?).await?;
    println!("still locked: {}", matches!(other, Either::Right(_)));
    assert!(matches!(other, Either::Right(_)));
    Ok(())
}
