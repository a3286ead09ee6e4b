//! What is known of a request when it is over.

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio_ctx_core::{Context, Reason};
use tokio_ctx_tower::serve::serve;
use tokio_ctx_tower::{ContextError, ContextLayer};

use crate::stage::{Shop, ask, send, within};

type Summary = (Option<String>, Option<u16>, Reason, Option<u32>, bool);

/// What the hook gets of a request for each of the paths, which `client` makes.
async fn summaries(client: impl AsyncFnOnce(std::net::SocketAddr)) -> UnboundedReceiver<Summary> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let ctx = Context::background().with_cancel();
    let (sender, summaries) = unbounded_channel();
    let served = serve(&ctx, listener, |server| {
        let late = async |ctx: Context| {
            ctx.run(std::future::pending::<()>()).await?;
            Ok::<_, ContextError>(())
        };
        let layer = ContextLayer::new(server.context())
            .key::<Shop>()
            .default_timeout(Duration::from_millis(300))
            .on_end(move |request| {
                assert_eq!(request.method(), "GET");
                assert!(request.path().len() > 1 && !request.path().contains('?'));
                let route = request.route().map(str::to_owned);
                let status = request.status().map(|status| status.as_u16());
                let shop = request.context().value::<Shop>().copied();
                let is_late = request.slack() == Some(Duration::ZERO);
                assert_eq!(is_late, request.age() >= Duration::from_millis(300));
                sender
                    .send((route, status, request.reason(), shop, is_late))
                    .unwrap();
                panic!("a hook that is broken harms nobody");
            });
        Router::new()
            .route("/quick/{id}", get(async || "hello"))
            .route("/late", get(late))
            .layer(layer)
    });
    let client = async {
        client(address).await;
        ctx.cancel();
    };
    let (report, ()) = within(async { tokio::join!(served, client) }).await;
    assert!(report.is_clean(), "{report}");
    summaries
}

#[tokio::test]
async fn a_hook_is_told_how_each_request_ended() {
    let mut summaries = summaries(async |address| {
        let headers = [("x-shop", "7")];
        let answer = ask(address, "GET /quick/1?secret", &headers).await;
        assert_eq!(answer.status, 200);
        assert_eq!(ask(address, "GET /late", &[]).await.status, 504);
        let client = send(address, "GET /late", &[]).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        drop(client);
        tokio::time::sleep(Duration::from_millis(50)).await;
    })
    .await;
    let quick = within(summaries.recv()).await.unwrap();
    let route = Some("/quick/{id}".to_owned());
    let finished = Reason::RequestFinished;
    assert_eq!(quick, (route, Some(200), finished, Some(7), false));
    let late = within(summaries.recv()).await.unwrap();
    let route = Some("/late".to_owned());
    let reason = Reason::Deadline;
    assert_eq!(late, (route.clone(), Some(504), reason, None, true));
    let gone = within(summaries.recv()).await.unwrap();
    assert_eq!(gone, (route, None, Reason::CallerGone, None, false));
    assert!(
        summaries.try_recv().is_err(),
        "each request is reported once"
    );
}
