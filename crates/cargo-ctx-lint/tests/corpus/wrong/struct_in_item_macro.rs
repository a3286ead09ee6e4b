//! A struct inside a macro that passes items through is still a struct.
use tokio_ctx::Context;

cfg_server! {
    pub struct Server {
        ctx: Context, //~ context-in-struct
    }
}
