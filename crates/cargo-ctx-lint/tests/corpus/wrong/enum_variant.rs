//! A state machine that remembers contexts.
use tokio_ctx::Context as Ctx;

enum State {
    Idle,
    Busy { ctx: Ctx, since: u64 }, //~ context-in-struct
    Draining(Ctx), //~ context-in-struct
}
