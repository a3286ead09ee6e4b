//! `print` needs a value that can be printed.

struct Opaque;

tokio_ctx_core::key! { Handle: Opaque, print }

fn main() {}
