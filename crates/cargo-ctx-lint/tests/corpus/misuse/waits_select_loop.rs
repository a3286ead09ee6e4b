//! Two sources, and neither of them is the end.
use tokio_ctx::Context;

pub async fn pump(ctx: &Context, mut requests: Requests, mut events: Events) {
    loop {
        tokio::select! { //~ waits
            Some(request) = requests.recv() => answer(ctx, request).await,
            Some(event) = events.recv() => apply(ctx, event).await,
        }
    }
}
