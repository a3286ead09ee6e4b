//! No import at all, and a constructor passed as a function.
pub fn context_of(found: Option<tokio_ctx::Context>) -> tokio_ctx::Context {
    found.unwrap_or_else(tokio_ctx::Context::background) //~ background-outside-root
}
