//! reqwest: head and body are under the context.

use std::error::Error;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_ctx_core::{Cancelled, Context, Reason};
use tokio_ctx_tower::ContextError;
use tokio_ctx_tower::headers::{Baggage, HeaderKey};
use tokio_ctx_tower::propagate::PropagateLayer;
use tokio_ctx_tower::reqwest::send;

use crate::stage::{Shop, Stage, within};

/// What ended the context, if that is why: before the response came, or in the middle of its body.
fn why<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Cancelled> {
    std::iter::successors(Some(error), |&error| error.source()).find_map(|error| {
        let in_body = error.downcast_ref().map(ContextError::cancelled);
        in_body.or_else(|| error.downcast_ref())
    })
}

#[tokio::test]
async fn deadline_and_keys_go_along_and_the_response_is_as_it_was() {
    let stage = Stage::start().await;
    let propagate = PropagateLayer::new().key::<Shop>().key::<Baggage>();
    let ctx = Context::background()
        .with_value::<Shop>(17)
        .with_value::<Baggage>(Baggage::decode("plan=gold").unwrap())
        .with_timeout(Duration::from_secs(30));
    let url = format!("http://{}/look?a=b", stage.address);
    let request = reqwest::Client::new()
        .get(&url)
        .header("x-token", "hunter2");
    let response = within(send(&ctx, &propagate, request)).await;
    let response = response.unwrap().unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.url().as_str(), url);
    assert!(response.remote_addr().is_some() && response.content_length().is_some());
    let seen: serde_json::Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    assert_eq!((&seen["shop"], &seen["plan"]), (&17.into(), &"gold".into()));
    assert_eq!(seen["token"], "hunter2");
    let left = seen["remaining_ms"].as_f64().unwrap();
    assert!(left < 30_000.0 && left > 20_000.0, "{left}");
    stage.shut_down().await;
}

#[tokio::test]
async fn a_request_is_given_up_before_and_after_its_head() {
    let mut stage = Stage::start().await;
    for path in ["/hang", "/silent", "/endless"] {
        let ctx = Context::background().with_cancel();
        let request = reqwest::Client::new().get(format!("http://{}{path}", stage.address));
        let propagate = PropagateLayer::new();
        let calling = async {
            send(&ctx, &propagate, request).await??.bytes().await?;
            Ok::<(), Box<dyn Error>>(())
        };
        let (result, ()) = tokio::join!(within(calling), async {
            stage.started().await;
            ctx.cancel_with("no longer interesting");
        });
        let error = result.unwrap_err();
        let why = why(&*error).unwrap_or_else(|| panic!("{path}: {error:?}"));
        assert!(
            why.to_string().contains("no longer interesting"),
            "{path}: {why}"
        );
        assert_eq!(stage.ended().await.0, Reason::CallerGone, "{path}");
    }
    stage.shut_down().await;
}

/// A server that dribbles: each byte in time for an idle timeout, and no end.
#[tokio::test]
async fn a_slow_server_cannot_outlive_the_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.read_u8().await.unwrap();
        let head = b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n";
        stream.write_all(head).await.unwrap();
        while stream.write_all(b".").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    let ctx = Context::background().with_timeout(Duration::from_millis(80));
    let request = reqwest::Client::new().get(url);
    let response = within(send(&ctx, &PropagateLayer::new(), request))
        .await
        .unwrap()
        .unwrap();
    let error = within(response.bytes()).await.unwrap_err();
    assert!(why(&error).unwrap().is_timeout());
    // The connection is closed, so the server notices.
    within(serving).await.unwrap();
}

#[tokio::test]
async fn an_ended_context_sends_nothing() {
    let ctx = Context::background().with_timeout(Duration::ZERO);
    let sent = |ctx| async move {
        // Nobody listens there.
        let request = reqwest::Client::new().get("http://127.0.0.1:9/");
        within(send(ctx, &PropagateLayer::new(), request)).await
    };
    assert!(sent(&ctx).await.unwrap_err().is_timeout());
    let of_reqwest = sent(&Context::background()).await.unwrap().unwrap_err();
    assert!(of_reqwest.is_connect());
}

#[tokio::test]
async fn a_request_that_cannot_be_made_is_an_error_of_reqwest() {
    let request = reqwest::Client::new().get("no address");
    let sent = send(&Context::background(), &PropagateLayer::new(), request).await;
    assert!(sent.unwrap().unwrap_err().is_builder());
}
