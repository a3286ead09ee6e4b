//! Aliases are followed, through modules and other aliases.
mod names {
    pub type Shared = std::sync::Arc<tokio_ctx::Context>;
}

use names::Shared;

type Pair = (u64, Shared);

struct One {
    ctx: Shared, //~ context-in-struct
}

struct Two {
    pairs: Vec<Pair>, //~ context-in-struct
    other: names::Shared, //~ context-in-struct
}
