//! The ordinary test: both attempts pass it.
#![cfg(not(loom))]

use std::sync::Arc;

use loom_user::{hasty, steady};
use tokio_ctx::Context;

#[tokio::test]
async fn hasty_stores_a_line() {
    let ctx = Context::background().with_cancel();
    let log = Arc::new(hasty::AuditLog::default());
    assert!(log.write(&ctx, "alice logged in"));
    ctx.cancel();
    log.work(&ctx).await;
    assert_eq!(log.stored(), ["alice logged in"]);
    assert!(!log.write(&ctx, "too late"));
}

#[tokio::test]
async fn steady_stores_a_line() {
    let ctx = Context::background().with_cancel();
    let log = Arc::new(steady::AuditLog::default());
    assert!(log.write("alice logged in"));
    ctx.cancel();
    log.work(&ctx).await;
    assert_eq!(log.stored(), ["alice logged in"]);
    assert!(!log.write("too late"));
}
