//! Each module has its own imports.
mod cache {
    use tokio_ctx::Context;

    pub struct Entry {
        pub made_under: Context, //~ context-in-struct
        pub body: Vec<u8>,
    }
}

mod error {
    use std::task::Context;

    pub struct Poller<'a> {
        cx: Context<'a>,
    }
}
