//! Key options are a closed list: a misspelt one does not switch anything off in silence.

tokio_ctx::key! { Secret: String, request_onyl }

fn main() {}
