//! sqlx 0.9.0: `Pool::begin`, dropped, leaves its transaction open on a connection of the pool.

use sqlx::Connection as _;
use sqlx::postgres::{PgConnection, PgPoolOptions};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::var("DATABASE_URL")?;
    let mut other = PgConnection::connect(&url).await?;
    let table = sqlx::raw_sql("drop table if exists begun; create table begun(x int)");
    table.execute(&mut other).await?;
    // Without the ping, the first await is the one for the answer to BEGIN.
    let options = PgPoolOptions::new().max_connections(1);
    let pool = options.test_before_acquire(false).connect(&url).await?;
    tokio::select! {
        biased;
        _ = pool.begin() => {}
        () = std::future::ready(()) => {}
    }
    let insert = sqlx::query("insert into begun values (1)");
    insert.execute(&pool).await?; // it says that it succeeded
    let rows = sqlx::query_scalar("select count(*) from begun");
    let rows: i64 = rows.fetch_one(&mut other).await?;
    println!("one row was inserted, and others see {rows}");
    assert_eq!(rows, 0);
    Ok(())
}
