//! Quoted code is not code yet.
use tokio_ctx::Context;

macro_rules! root {
    () => {
        Context::background()
    };
}

fn expand() -> TokenStream {
    quote! { Context::background() }
}
