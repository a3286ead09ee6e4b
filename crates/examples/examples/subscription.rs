//! A subscription that outlives the request that asked for it.
//!
//! Run: `cargo run -p examples --example subscription`
//!
//! The mistake is to chain: under the request's context the subscription dies with the
//! request. The other mistake is `without_cancel`: then nobody ever ends it. `detach_onto`
//! keeps the values and takes the lifetime of somebody who will end it, here the server.

use tokio::sync::mpsc;
use tokio_ctx::{Cancelled, Context, Reason, key};
use tokio_ctx::{Scope, scope};

key! {
    User: &'static str, print;
    /// Belongs to the request alone: it does not survive the detach.
    OpenTransaction: u64, request_only;
}

pub(crate) async fn follow(
    ctx: &Context,
    mut events: mpsc::Receiver<u32>,
    seen: mpsc::UnboundedSender<String>,
) -> Result<(), Cancelled> {
    assert_eq!(ctx.value::<OpenTransaction>(), None);
    let user = ctx.value::<User>().copied().unwrap_or("nobody");
    loop {
        let Some(event) = ctx.run(events.recv()).await? else {
            return Ok(());
        };
        let _ = seen.send(format!("{user} got event {event}"));
    }
}

/// The handler: answers at once, and leaves the subscription to the server's scope.
fn subscribe(
    request: &Context,
    server: &Scope<Cancelled>,
    events: mpsc::Receiver<u32>,
    seen: mpsc::UnboundedSender<String>,
) -> &'static str {
    let ctx = request.detach_onto(server.context());
    server
        .task()
        .under(&ctx)
        .spawn(async move |ctx| follow(&ctx, events, seen).await);
    "202 Accepted"
}

#[tokio::main]
async fn main() {
    let root = Context::background().with_cancel();
    let (publish, events) = mpsc::channel(8);
    let ended = scope(&root, async |server| {
        let (seen, mut log) = mpsc::unbounded_channel();
        {
            let request = server
                .context()
                .with_value::<User>("alice")
                .with_value::<OpenTransaction>(7)
                .with_cancel();
            assert_eq!(subscribe(&request, &server, events, seen), "202 Accepted");
        } // The request is over.

        for event in 1..=2 {
            publish
                .send(event)
                .await
                .expect("the subscription is alive");
            let line = log.recv().await.expect("the subscription answers");
            println!("{line}");
            assert_eq!(line, format!("alice got event {event}"));
        }
        root.cancel_with("the server shuts down");
        Ok(())
    })
    .await
    .unwrap_err();
    println!("subscription ended: {ended}");
    assert_eq!(ended.reason(), Reason::Cancelled);
    assert!(ended.to_string().contains("the server shuts down"));
}
