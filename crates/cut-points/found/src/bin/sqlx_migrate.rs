//! sqlx 0.9.0: a time limit around `Migrator::run` leaves its lock on a connection of the pool.

use std::time::Duration;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::postgres::{PgConnection, PgPoolOptions};
use sqlx::{Connection as _, SqlSafeStr as _};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::var("DATABASE_URL")?;
    let options = PgPoolOptions::new().max_connections(1);
    let pool = options.connect(&url).await?;
    let sql = "select pg_sleep(1)".into_sql_str();
    let slow = Migration::new(1, "slow".into(), MigrationType::Simple, sql, false);
    let migrator = Migrator::with_migrations(vec![slow]);
    let timed_out = tokio::time::timeout(Duration::from_millis(500), migrator.run(&pool)).await;
    assert!(timed_out.is_err());
    sqlx::query("select 1").execute(&pool).await?; // the connection is back, and answers
    let mut other = PgConnection::connect(&url).await?;
    let next = tokio::time::timeout(Duration::from_secs(3), migrator.run(&mut other)).await;
    println!("the next migrator, three seconds later: {next:?}");
    assert!(next.is_err());
    Ok(())
}
