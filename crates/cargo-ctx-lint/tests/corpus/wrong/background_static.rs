//! A root for the whole process.
use tokio_ctx::Context;

static EVERYWHERE: Context = Context::background(); //~ background-outside-root context-in-static
