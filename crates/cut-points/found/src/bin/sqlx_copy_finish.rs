//! sqlx 0.9.0: `PgCopyIn::finish`, dropped, leaves its answer to the next borrower.

use sqlx::postgres::{PgPoolCopyExt as _, PgPoolOptions};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::var("DATABASE_URL")?;
    let options = PgPoolOptions::new().max_connections(1);
    let pool = options.connect(&url).await?;
    let table = sqlx::query("create temporary table finished(x int)");
    table.execute(&pool).await?;
    let mut copy = pool.copy_in_raw("copy finished from stdin").await?;
    copy.send(&b"1\n"[..]).await?;
    tokio::select! {
        biased;
        _ = copy.finish() => {}
        () = std::future::ready(()) => {}
    }
    let one = sqlx::query_scalar::<_, i32>("select 1");
    let one = one.fetch_one(&pool).await;
    println!("{one:?}");
    assert!(one.is_err());
    Ok(())
}
