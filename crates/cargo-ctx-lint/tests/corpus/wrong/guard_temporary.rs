//! What is derived from a guard that is a temporary is already cancelled.
use tokio_ctx::Context;

struct Job {
    ctx: Context, //~ context-in-struct
}

fn derive(ctx: &Context) -> Context {
    let child = ctx.with_cancel().with_timeout(LIMIT); //~ guard-dropped
    let budget = ctx.with_cancel().with_budget(half)?; //~ guard-dropped
    let handle = ctx.with_cancel().handle(); //~ guard-dropped
    let job = Job { ctx: ctx.with_cancel().with_value::<Id>(7) }; //~ guard-dropped
    if early() {
        return ctx.with_cancel().with_name("early"); //~ guard-dropped
    }
    ctx.with_cancel().with_value::<Id>(8).with_timeout(LIMIT) //~ guard-dropped
}
