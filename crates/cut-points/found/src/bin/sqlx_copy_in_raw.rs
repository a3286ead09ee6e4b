//! sqlx 0.9.0: `copy_in_raw`, dropped, takes its connection out of the pool for good.

use std::time::Duration;

use sqlx::postgres::PgPoolOptions;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::var("DATABASE_URL")?;
    let options = PgPoolOptions::new().max_connections(1);
    let options = options.acquire_timeout(Duration::from_secs(2));
    let pool = options.connect(&url).await?;
    let table = sqlx::query("create temporary table copied(x int)");
    table.execute(&pool).await?;
    let mut connection = pool.acquire().await?;
    tokio::select! {
        biased;
        _ = connection.copy_in_raw("copy copied from stdin") => {}
        () = std::future::ready(()) => {}
    }
    drop(connection);
    for _ in 0..3 {
        let acquired = pool.acquire().await;
        println!("{acquired:?}");
        assert!(matches!(acquired, Err(sqlx::Error::PoolTimedOut)));
    }
    Ok(())
}
