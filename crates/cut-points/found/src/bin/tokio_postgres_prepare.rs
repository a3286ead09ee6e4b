//! tokio-postgres 0.7.18: `prepare`, dropped, leaves its statement on the server.

use tokio_postgres::{NoTls, SimpleQueryMessage};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::var("DATABASE_URL")?;
    let (client, connection) = tokio_postgres::connect(&url, NoTls).await?;
    tokio::spawn(connection);
    for _ in 0..100 {
        tokio::select! {
            biased;
            _ = client.prepare("select 1") => {}
            () = std::future::ready(()) => {}
        }
    }
    let left = "select name from pg_prepared_statements";
    let left = client.simple_query(left).await?;
    let is_row = |message: &&_| matches!(message, SimpleQueryMessage::Row(_));
    let left = left.iter().filter(is_row).count();
    println!("statements left on the server: {left}");
    assert!(left > 0);
    Ok(())
}
