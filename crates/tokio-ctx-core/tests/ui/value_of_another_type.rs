//! A key decides the type of its value, going in and coming out.

use tokio_ctx_core::{Context, key};

key! { TraceId: String }

fn main() {
    let ctx = Context::background().with_value::<TraceId>(7);
    let _id: Option<&u32> = ctx.value::<TraceId>();
}
