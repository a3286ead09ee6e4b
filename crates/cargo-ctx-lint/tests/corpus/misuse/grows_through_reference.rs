//! The caller's context grows with every call in its loop.
use tokio_ctx::Context;

pub fn tag_all(ctx: &mut Context, tags: &[Tag]) { //~ parameter
    for tag in tags {
        *ctx = ctx.with_value::<TagKey>(tag.clone()); //~ grows
    }
}
