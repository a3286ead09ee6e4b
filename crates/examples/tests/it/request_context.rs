//! The layer alone: what it makes of the headers, and when the context it made ends.

use std::sync::mpsc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, Request};
use axum::routing::get;
use axum::{Extension, Router};
use examples::request_context::{LONGEST_TIMEOUT, RequestContextLayer};
use examples::trace::TraceId;
use tokio_ctx::{Context, Reason};
use tower_service::Service as _;

#[tokio::test]
async fn a_good_header_is_taken_and_a_malformed_one_counted() {
    for (value, allowed, ignored) in [
        ("200", Some(Duration::from_millis(200)), 0),
        ("0", Some(Duration::ZERO), 0),
        ("86400000", Some(LONGEST_TIMEOUT), 0),
        ("", None, 1),
        ("-5", None, 1),
        ("soon", None, 1),
        ("99999999999999999999", None, 1),
    ] {
        let (ctx, layer) = context_for(&[("x-timeout-ms", value)]).await;
        assert_eq!(layer.ignored_headers(), ignored, "{value:?}");
        assert_eq!(ctx.deadline().is_some(), allowed.is_some(), "{value:?}");
        // An ended context says how long it was allowed; a finished one, how long it had left.
        let left = ctx
            .deadline()
            .map(|at| at.duration_since(tokio::time::Instant::now()));
        assert!(left <= allowed, "{value:?}: {left:?}");
    }
}

#[tokio::test]
async fn a_trace_id_is_kept_or_replaced() {
    let (ctx, _) = context_for(&[("x-trace-id", "mine")]).await;
    assert_eq!(ctx.value::<TraceId>().map(String::as_str), Some("mine"));
    for malformed in ["", "two words", "a/b"] {
        let (ctx, layer) = context_for(&[("x-trace-id", malformed)]).await;
        assert_eq!(
            ctx.value::<TraceId>().map(String::as_str),
            Some("request-1")
        );
        assert_eq!(layer.ignored_headers(), 1, "{malformed:?}");
    }
}

#[tokio::test]
async fn the_context_of_an_answered_request_has_ended() {
    let (ctx, _) = context_for(&[]).await;
    assert_eq!(ctx.err().unwrap().reason(), Reason::RequestFinished);
}

#[tokio::test]
async fn the_context_of_a_dropped_request_says_that_the_caller_is_gone() {
    let (seen, context) = mpsc::channel();
    let page = get(async move |Extension(ctx): Extension<Context>| {
        seen.send(ctx).unwrap();
        std::future::pending::<()>().await;
    });
    let router = Router::new().route("/", page);
    let mut service = router.layer(RequestContextLayer::new(&Context::background()));
    let mut answer = Box::pin(service.call(Request::new(Body::empty())));
    let poll = std::future::poll_fn(|cx| std::task::Poll::Ready(answer.as_mut().poll(cx)));
    assert!(poll.await.is_pending());

    let ctx = context.recv().unwrap();
    assert!(!ctx.is_done());
    drop(answer);
    assert_eq!(ctx.err().unwrap().reason(), Reason::CallerGone);
}

/// The context that a handler got for a request with these headers, once it has answered.
async fn context_for(headers: &[(&'static str, &str)]) -> (Context, RequestContextLayer) {
    let (seen, context) = mpsc::channel();
    let page = get(async move |Extension(ctx): Extension<Context>| seen.send(ctx).unwrap());
    let layer = RequestContextLayer::new(&Context::background());
    let mut service = Router::new().route("/", page).layer(layer.clone());
    let mut request = Request::new(Body::empty());
    for (name, value) in headers {
        request
            .headers_mut()
            .insert(*name, HeaderValue::from_str(value).unwrap());
    }
    assert_eq!(service.call(request).await.unwrap().status(), 200);
    (context.recv().unwrap(), layer)
}
