//! Inside the body of a scope, of all places.
use tokio_ctx::{Context, scope};

pub async fn sync(ctx: &Context, peers: Vec<Peer>) -> Result<(), Error> {
    scope(ctx, async |s| {
        for peer in peers {
            tokio::spawn(peer.push()); //~ started
        }
        s.spawn(async move |ctx| summary(&ctx).await).await
    })
    .await
}
