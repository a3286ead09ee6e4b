//! What the service makes of a request before its handler runs, without a server around it.

use std::sync::mpsc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Request};
use axum::routing::get;
use examples::requests::{LONGEST_TIMEOUT, context_layer, with_requests};
use examples::trace::TraceId;
use tokio_ctx::tower::ContextLayer;
use tokio_ctx::tower::context::DeadlineSource;
use tokio_ctx::{Cancelled, Context, Reason};
use tower_service::Service as _;

#[tokio::test]
async fn a_good_header_is_taken_and_a_malformed_one_counted() {
    for (value, allowed, ignored) in [
        ("200", Duration::from_millis(200), 0),
        ("86400000", LONGEST_TIMEOUT, 0),
        ("", LONGEST_TIMEOUT, 1),
        ("0", LONGEST_TIMEOUT, 1), // "no limit", to some proxies
        ("-5", LONGEST_TIMEOUT, 1),
        ("soon", LONGEST_TIMEOUT, 1),
        ("99999999999999999999", LONGEST_TIMEOUT, 1),
    ] {
        let (ctx, layer) = context_for(&[("x-timeout-ms", value)]).await;
        assert_eq!(layer.ignored_headers(), ignored, "{value:?}");
        let at = ctx.deadline().expect("every request has a deadline");
        let left = at.duration_since(tokio::time::Instant::now());
        assert!(left <= allowed, "{value:?}: {left:?}");
        // Much of it is left, unless this machine stands still.
        assert!(left + LONGEST_TIMEOUT / 2 > allowed, "{value:?}: {left:?}");
    }
}

#[tokio::test]
async fn a_deadline_says_who_asked_for_it() {
    let (seen, context) = mpsc::channel();
    let page = get(async move |ctx: Context| -> &'static str {
        seen.send(ctx.done().await).unwrap();
        "late"
    });
    let layer = context_layer(&Context::background());
    let mut service = with_requests(Router::new().route("/", page), layer);
    let asked = request(&[("x-timeout-ms", "20")]);
    assert_eq!(service.call(asked).await.unwrap().status(), 200);
    let cancelled: Cancelled = context.recv().unwrap();
    assert!(cancelled.is_timeout(), "{cancelled}");
    assert_eq!(cancelled.after(), Some(Duration::from_millis(20)));
    assert!(
        matches!(cancelled.cause(), Some(DeadlineSource::Header(name)) if name == "x-timeout-ms"),
        "{cancelled}"
    );
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
    let (ctx, layer) = context_for(&[]).await;
    assert_eq!(ctx.err().unwrap().reason(), Reason::RequestFinished);
    assert_eq!(layer.live_requests(), 0);
}

#[tokio::test]
async fn the_context_of_a_dropped_request_says_that_the_caller_is_gone() {
    let (seen, context) = mpsc::channel();
    let page = get(async move |ctx: Context| {
        seen.send(ctx).unwrap();
        std::future::pending::<()>().await;
    });
    let layer = context_layer(&Context::background());
    let mut service = with_requests(Router::new().route("/", page), layer);
    let mut answer = Box::pin(service.call(request(&[])));
    let poll = std::future::poll_fn(|cx| std::task::Poll::Ready(answer.as_mut().poll(cx)));
    assert!(poll.await.is_pending());

    let ctx = context.recv().unwrap();
    assert!(!ctx.is_done());
    drop(answer);
    assert_eq!(ctx.err().unwrap().reason(), Reason::CallerGone);
}

#[tokio::test]
async fn a_handler_that_panics_is_answered() {
    let page = get(async || -> &'static str { panic!("a bug") });
    let layer = context_layer(&Context::background());
    let mut service = with_requests(Router::new().route("/", page), layer.clone());
    let answer = service.call(request(&[])).await.unwrap();
    assert_eq!(answer.status(), 500);
    let problem = HeaderValue::from_static("application/problem+json");
    assert_eq!(answer.headers().get("content-type"), Some(&problem));
    drop(answer);
    assert_eq!(layer.live_requests(), 0);
}

/// The context that a handler got for a request with these headers, once it has answered.
async fn context_for(headers: &[(&'static str, &str)]) -> (Context, ContextLayer) {
    let (seen, context) = mpsc::channel();
    let page = get(async move |ctx: Context| seen.send(ctx).unwrap());
    let layer = context_layer(&Context::background());
    let mut service = with_requests(Router::new().route("/", page), layer.clone());
    let answer = service.call(request(headers)).await.unwrap();
    assert_eq!(answer.status(), 200);
    (context.recv().unwrap(), layer)
}

fn request(headers: &[(&'static str, &str)]) -> Request<Body> {
    let mut request = Request::new(Body::empty());
    for (name, value) in headers {
        let value = HeaderValue::from_str(value).unwrap();
        request.headers_mut().insert(*name, value);
    }
    request
}
