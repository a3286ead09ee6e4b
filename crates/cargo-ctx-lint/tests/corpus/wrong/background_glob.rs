//! A glob import brings the name in.
use tokio_ctx::*;

pub fn make() -> Context {
    Context::background() //~ background-outside-root
}
