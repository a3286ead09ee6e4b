//! Comments that cannot be obeyed.
use tokio_ctx::Context;

// ctx-lint: allow(context-in-strukt) misspelt
//~^ unknown-rule
struct Server {
    ctx: Context, //~ context-in-struct
}

// ctx-lint: deny(context-in-struct) there is no such verb
//~^ malformed-allow
// ctx-lint: allow context-in-struct
//~^ malformed-allow
