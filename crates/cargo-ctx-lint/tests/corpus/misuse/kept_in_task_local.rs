//! A context that travels beside the parameters.
use tokio_ctx::Context;

tokio::task_local! {
    static REQUEST: Context; //~ kept
}

pub async fn handle(ctx: Context, request: Request) -> Response {
    REQUEST.scope(ctx, answer(request)).await
}
