//! A service whose work stops when its client hangs up.

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use tokio_ctx::tower::{ContextError, ContextLayer};
use tokio_ctx::{Context, scope};

/// Stands for a query: counts for a minute, and says when it stops early.
async fn count(ctx: &Context, table: &str) -> Result<u32, ContextError> {
    for second in 0..60 {
        println!("{table}: {second}");
        if let Err(why) = ctx.run(tokio::time::sleep(Duration::from_secs(1))).await {
            println!("{table}: stopped, {why}");
            return Err(why.into());
        }
    }
    Ok(60)
}

pub(crate) async fn report(ctx: Context) -> Result<String, ContextError> {
    let rows = scope(&ctx, async |s| {
        let users = s.spawn(async |ctx| count(&ctx, "users").await);
        let orders = s.spawn(async |ctx| count(&ctx, "orders").await);
        Ok::<_, ContextError>(users.await? + orders.await?)
    })
    .await?; // by now both tasks are finished
    Ok(format!("{rows} rows\n"))
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let server = Context::background().with_name("server").with_cancel();
    let app = Router::new()
        .route("/report", get(report))
        .layer(ContextLayer::new(&server).default_timeout(Duration::from_secs(10)));

    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:3000".into());
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await
}
