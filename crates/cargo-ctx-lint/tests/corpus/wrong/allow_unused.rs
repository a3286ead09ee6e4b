//! Exceptions that nothing needs.
use tokio_ctx::Context;

// ctx-lint: allow(context-in-struct) it used to have one
//~^ unused-allow
struct Server {
    name: String,
}

// ctx-lint: allow(context-in-struct, bare-spawn) only one of the two is true
//~^ unused-allow
struct Worker {
    ctx: Context,
}
