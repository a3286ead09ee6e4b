//! An exception has to say why.
use tokio_ctx::Context;

struct Server {
    // ctx-lint: allow(context-in-struct)
    //~^ allow-without-reason
    ctx: Context, //~ context-in-struct
}
