//! The error that says "stop" is thrown away, and the loop goes on.
use tokio_ctx::Context;

pub async fn flush_all(ctx: &Context, sinks: Vec<Sink>) {
    for sink in sinks {
        let _ = ctx.run(sink.flush()).await; //~ swallowed
    }
}
