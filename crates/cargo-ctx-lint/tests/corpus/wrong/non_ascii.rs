//! Größe, Länge, naïve: offsets count bytes, columns count characters.
use tokio_ctx::Context;

/// Ein Kunde — mit Kontext.
struct Kunde {
    größe: &'static str, /* ← größer */ ctx: Context, //~ context-in-struct
}
