//! Wrapping a context does not make it belong to a call.
use std::collections::HashMap;
use std::sync::Arc;

struct Sessions {
    open: HashMap<u64, tokio_ctx::Context>, //~ context-in-struct
    last: Option<Arc<tokio_ctx::Context>>, //~ context-in-struct
}

struct Pair(u32, (tokio_ctx::Context, u32)); //~ context-in-struct
