//! A struct inside a function, an import inside a function.
fn build() {
    use tokio_ctx::Context;

    struct Local {
        ctx: Context, //~ context-in-struct
    }
}
