//! A comment at the end of a line covers that line and no other.
use tokio_ctx::Context;

struct Server { // ctx-lint: allow(context-in-struct) on the line of the brace
    //~^ unused-allow
    ctx: Context, //~ context-in-struct
}
