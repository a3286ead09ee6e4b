//! A function inside a function sees none of its bindings; it is judged on its own.
use tokio_ctx::Context;

fn outer(ctx: &Context) {
    fn inner() -> Context {
        Context::background() //~ background-outside-root
    }
    use_both(ctx, inner());
}
