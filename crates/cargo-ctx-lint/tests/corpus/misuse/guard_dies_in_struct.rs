//! What is returned holds the context and not the guard.
use tokio_ctx::{CancelGuard, Context};

pub struct Session {
    // ctx-lint: allow(context-in-struct) a session is one long call
    ctx: Context,
    id: u64,
}

pub fn open(ctx: &Context, id: u64) -> Session {
    let guard: CancelGuard = ctx.with_cancel();
    Session { ctx: guard.with_value::<SessionId>(id), id } //~ guard
}
