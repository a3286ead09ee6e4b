//! A Context of the file's own shadows a glob of ours.
use tokio_ctx::*;

struct Context {
    depth: usize,
}

impl Context {
    fn background() -> Context {
        Context { depth: 0 }
    }
}

struct Holder {
    context: Context,
}

fn make(depth: usize, c: &Context) -> Context {
    Context::background()
}
