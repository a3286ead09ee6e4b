//! What would be lost by a semicolon says what it was for.

#![deny(unused_must_use)]

use std::time::Duration;

use tokio_ctx_core::{Budget, Context};

fn main() {
    let ctx = Context::background().with_cancel();
    ctx.with_cancel();
    ctx.with_timeout(Duration::from_secs(1));
    ctx.on_cancel(|_| ());
    ctx.done();
    ctx.run(async {});
    ctx.check();
    ctx.is_done();
    ctx.with_budget(Budget::fraction(0.5));
    Budget::fraction(0.5);
}
