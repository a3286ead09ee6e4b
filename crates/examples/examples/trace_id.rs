//! The request's trace id in the log lines of the work it spawned.
//!
//! Run: `cargo run -p examples --example trace_id`
//!
//! The id enters once, at the edge, under a typed key. Every function below gets the context
//! as its first parameter and every spawned task gets one of its own, so no call in between
//! has to know that there is an id.

use std::sync::Mutex;

use tokio_ctx::{Cancelled, Context, key, scope};

key! {
    /// Ties the log lines of one request together. It may be printed.
    TraceId: String, print
}

/// Where the lines go; a real program has a subscriber here.
static LOG: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn log(ctx: &Context, line: &str) {
    let id = ctx.value::<TraceId>().map_or("-", String::as_str);
    println!("[{id}] {line}");
    LOG.lock()
        .expect("nobody panics while logging")
        .push(format!("[{id}] {line}"));
}

async fn load(ctx: &Context, table: &str) -> Result<usize, Cancelled> {
    ctx.check()?;
    log(ctx, &format!("loading {table}"));
    ctx.run(tokio::task::yield_now()).await?;
    Ok(table.len())
}

pub(crate) async fn handle(ctx: &Context) -> Result<usize, Cancelled> {
    log(ctx, "request received");
    let rows = scope(ctx, async |s| {
        let users = s.spawn(async |ctx| load(&ctx, "users").await);
        let orders = s.spawn(async |ctx| load(&ctx, "orders").await);
        Ok(users.await? + orders.await?)
    })
    .await?;
    log(ctx, "answered");
    Ok(rows)
}

#[tokio::main]
async fn main() -> Result<(), Cancelled> {
    let server = Context::background().with_cancel();
    let request = server
        .with_value::<TraceId>("4bf92f35".into())
        .with_cancel();
    assert_eq!(handle(&request).await?, 11);

    let log = LOG.lock().expect("nobody panics while logging");
    assert_eq!(log.len(), 4);
    assert!(log.iter().all(|line| line.starts_with("[4bf92f35] ")));
    Ok(())
}
