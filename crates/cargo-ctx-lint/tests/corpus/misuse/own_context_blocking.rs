//! On a thread: the flag that is asked is the wrong one.
use tokio_ctx::{Context, Scope};

pub fn crunch(ctx: &Context, s: &Scope<Error>, chunks: Vec<Chunk>) {
    let parent = ctx.clone();
    s.spawn_blocking(move |_| { //~ own
        for chunk in chunks {
            parent.check()?;
            chunk.crunch();
        }
        Ok(())
    });
}
