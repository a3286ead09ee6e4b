//! A re-export inside the crate leads to the same type.
mod prelude {
    pub use tokio_ctx::Context;
    pub use tokio_ctx::key as make_key;
}

mod service {
    use super::prelude::*;

    pub struct Service {
        ctx: Context, //~ context-in-struct
    }

    make_key! { pub Token: String, print } //~ secret-key-prints
}

mod other {
    use crate::prelude as p;

    pub fn start() -> p::Context {
        p::Context::background() //~ background-outside-root
    }
}
