//! Tokens that come from outside, and roots that make their own.
use tokio_ctx::Context;
use tokio_util::sync::CancellationToken;

fn adapt(token: &CancellationToken) -> Context {
    Context::from_token(token)
}

fn child(token: &CancellationToken) -> Context {
    Context::from_token(&token.child_token())
}

fn main() {
    let ctx = Context::from_token(&CancellationToken::new());
    run(&ctx);
}
