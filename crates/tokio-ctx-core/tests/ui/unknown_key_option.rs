//! Key options are a closed list: a misspelt one does not switch anything off in silence.

tokio_ctx_core::key! { Secret: String, request_onyl }

fn main() {}
