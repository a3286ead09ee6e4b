//! Failures, panics and cancels of every task, gone.
use tokio_ctx::{Context, scope};

pub async fn fan_out(ctx: &Context, peers: Vec<Peer>) {
    let _ = scope(ctx, async |s| { //~ swallowed
        for peer in peers {
            s.spawn(async move |ctx| peer.ping(&ctx).await);
        }
        Ok::<_, Error>(())
    })
    .await;
}
