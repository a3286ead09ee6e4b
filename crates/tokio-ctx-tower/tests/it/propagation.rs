//! Deadlines, keys and hang-ups across processes.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use http::{HeaderMap, HeaderName, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::net::TcpListener;
use tokio::sync::mpsc::unbounded_channel;
use tokio_ctx_core::{Context, Reason};
use tokio_ctx_tower::ContextError;
use tokio_ctx_tower::headers::{Baggage, HeaderKey, TraceContext};
use tokio_ctx_tower::propagate::{PropagateLayer, PropagateService};
use tower::limit::ConcurrencyLimit;
use tower::retry::{Policy, Retry};
use tower::{ServiceExt, service_fn};
use tower_layer::Layer;

use crate::stage::{Shop, Stage, Token, Unlisted, within};

/// The headers that a request has when it leaves.
async fn sent(layer: &PropagateLayer, request: Request<()>) -> http::HeaderMap {
    let echo = service_fn(async |request: Request<()>| {
        let mut response = Response::new(String::new());
        *response.headers_mut() = request.headers().clone();
        Ok::<_, Infallible>(response)
    });
    layer
        .layer(echo)
        .oneshot(request)
        .await
        .unwrap()
        .headers()
        .clone()
}

fn client(layer: PropagateLayer) -> PropagateService<Client<HttpConnector, Body>> {
    layer.layer(Client::builder(TokioExecutor::new()).build_http())
}

#[tokio::test(start_paused = true)]
async fn what_remains_less_the_reserve_is_sent() {
    let layer = PropagateLayer::new()
        .reserve(Duration::from_millis(100))
        .timeout_header(HeaderName::from_static("x-timeout-ms"));
    let ctx = Context::background().with_timeout(Duration::from_secs(2));
    tokio::time::advance(Duration::from_millis(500)).await;
    let headers = sent(
        &layer,
        Request::builder().extension(ctx.clone()).body(()).unwrap(),
    )
    .await;
    assert_eq!(headers["grpc-timeout"], "1400000u");
    assert_eq!(headers["x-timeout-ms"], "1400");

    // Less than the reserve is left.
    tokio::time::advance(Duration::from_millis(1450)).await;
    let request = Request::builder().extension(ctx).body(()).unwrap();
    let never = service_fn(
        async |_: Request<()>| -> Result<Response<String>, Infallible> { panic!("it was sent") },
    );
    let error = layer.layer(never).oneshot(request).await.unwrap_err();
    let error = error.downcast_ref::<ContextError>().unwrap();
    assert_eq!(error.cancelled().reason(), Reason::BudgetExhausted);
    assert_eq!(error.status(), 504);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_on_the_request_is_never_made_longer() {
    let layer = PropagateLayer::new();
    let ctx = Context::background().with_timeout(Duration::from_secs(2));
    for (own, sent_on) in [("1S", "1S"), ("3S", "2000000u"), ("garbage", "2000000u")] {
        let request = Request::builder()
            .extension(ctx.clone())
            .header("grpc-timeout", own);
        let headers = sent(&layer, request.body(()).unwrap()).await;
        assert_eq!(headers["grpc-timeout"], sent_on, "{own}");
    }
}

#[tokio::test]
async fn listed_keys_are_sent_and_no_others() {
    let layer = PropagateLayer::new()
        .key::<Shop>()
        .key::<Token>()
        .trace_context();
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let ctx = Context::background()
        .with_value::<Shop>(17)
        .with_value::<Unlisted>("secret".into())
        .with_value::<Baggage>(Baggage::decode("plan=gold").unwrap())
        .with_value::<TraceContext>(TraceContext::parse(trace, "congo=1").unwrap())
        // Not what a header may hold.
        .with_value::<Token>("two\nlines".into());
    let headers = sent(
        &layer,
        Request::builder().extension(ctx.clone()).body(()).unwrap(),
    )
    .await;
    assert_eq!(headers["x-shop"], "17");
    assert_eq!(headers["traceparent"], trace);
    assert_eq!(headers["tracestate"], "congo=1");
    assert_eq!(headers.len(), 3, "{headers:?}");

    // A tracer that writes the header itself knows better.
    let request = Request::builder()
        .extension(ctx)
        .header("traceparent", "its own");
    let headers = sent(&layer, request.body(()).unwrap()).await;
    assert_eq!(headers["traceparent"], "its own");

    // Without a context nothing happens.
    assert!(sent(&layer, Request::new(())).await.is_empty());

    // Too long to be read is too long to be sent.
    let long = Context::background().with_value::<Token>("x".repeat(1025));
    assert!(
        sent(&layer, Request::builder().extension(long).body(()).unwrap())
            .await
            .is_empty()
    );
}

#[tokio::test]
async fn a_context_crosses_a_socket() {
    let stage = Stage::start().await;
    let client = client(PropagateLayer::new().key::<Shop>().key::<Baggage>());
    let ctx = Context::background()
        .with_value::<Shop>(17)
        .with_value::<Baggage>(Baggage::decode("plan=gold").unwrap())
        .with_timeout(Duration::from_secs(30));
    let request = Request::get(format!("http://{}/look", stage.address)).extension(ctx);
    let response = within(client.oneshot(request.body(Body::empty()).unwrap()))
        .await
        .unwrap();
    let text = response.into_body().collect().await.unwrap().to_bytes();
    let seen: serde_json::Value = serde_json::from_slice(&text).unwrap();
    assert_eq!((&seen["shop"], &seen["plan"]), (&17.into(), &"gold".into()));
    let left = seen["remaining_ms"].as_f64().unwrap();
    assert!(left < 30_000.0 && left > 20_000.0, "{left}");
    stage.shut_down().await;
}

#[tokio::test]
async fn a_cancelled_call_is_given_up_before_and_after_its_head() {
    let mut stage = Stage::start().await;
    for path in ["/hang", "/silent"] {
        let client = client(PropagateLayer::new());
        let ctx = Context::background().with_cancel();
        let request = Request::get(format!("http://{}{path}", stage.address))
            .extension(Context::clone(&ctx))
            .body(Body::empty())
            .unwrap();
        let calling = async {
            let mut body = client.oneshot(request).await?.into_body().boxed_unsync();
            while let Some(frame) = body.frame().await {
                frame?;
            }
            Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
        };
        let (result, ()) = tokio::join!(within(calling), async {
            stage.started().await;
            ctx.cancel_with("no longer interesting");
        });
        let error = result.unwrap_err();
        let error = error.downcast_ref::<ContextError>().unwrap();
        assert!(
            error.to_string().contains("no longer interesting"),
            "{error}"
        );
        assert_eq!(stage.ended().await.0, Reason::CallerGone, "{path}");
    }
    stage.shut_down().await;
}

/// Of two that fail at once, the context knows why.
#[tokio::test]
async fn a_call_that_fails_because_its_context_ended_says_so() {
    let ctx = Context::background().with_cancel();
    let handle = ctx.handle();
    let fails = service_fn(move |_: Request<()>| {
        handle.cancel_with("no longer interesting");
        async { Err::<Response<String>, _>(std::io::Error::other("connection reset")) }
    });
    let request = Request::builder()
        .extension(Context::clone(&ctx))
        .body(())
        .unwrap();
    let error = PropagateLayer::new()
        .layer(fails)
        .oneshot(request)
        .await
        .unwrap_err();
    let error = error.downcast_ref::<ContextError>().unwrap();
    assert_eq!(error.cancelled().reason(), Reason::Cancelled);
}

/// The time in a queue counts, in whichever layer the queue is.
#[tokio::test]
async fn a_call_waits_for_its_service_under_its_context() {
    let mut stage = Stage::start().await;
    let http = Client::builder(TokioExecutor::new()).build_http();
    let one_at_a_time = ConcurrencyLimit::<Client<HttpConnector, Body>>::new(http, 1);
    let client = PropagateLayer::new().layer(one_at_a_time);
    let request = |path: &str, ctx: &Context| {
        let request = Request::get(format!("http://{}{path}", stage.address));
        request.extension(ctx.clone()).body(Body::empty()).unwrap()
    };
    let first = Context::background().with_cancel();
    let hanging = tokio::spawn(client.clone().oneshot(request("/hang", &first)));
    let late = Context::background().with_timeout(Duration::from_millis(60));
    let waiting = request("/look", &late);
    let patient = Context::background().with_timeout(Duration::from_secs(15));
    let after = request("/look", &patient);
    stage.started().await;

    let error = within(client.clone().oneshot(waiting)).await.unwrap_err();
    let error = error
        .downcast_ref::<ContextError>()
        .expect("the context ended");
    assert_eq!(error.cancelled().reason(), Reason::Deadline);

    // What was waited for is not sent as left.
    let after = tokio::spawn(client.oneshot(after));
    let asked_at = Instant::now();
    tokio::time::sleep(Duration::from_millis(30)).await;
    first.cancel();
    assert!(hanging.await.unwrap().is_err());
    let response = within(after).await.unwrap().unwrap();
    let waited = asked_at.elapsed();
    let text = response.into_body().collect().await.unwrap().to_bytes();
    let seen: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let left = seen["remaining_ms"].as_f64().unwrap();
    assert!(left <= 15_000.0 - 30.0, "{left} left after {waited:?}");
    stage.shut_down().await;
}

/// Again while the server says that it is busy.
#[derive(Clone)]
struct WhileBusy(Arc<AtomicUsize>);

impl<R, E> Policy<Request<Full<Bytes>>, Response<R>, E> for WhileBusy {
    type Future = std::future::Ready<()>;

    fn retry(
        &mut self,
        _: &mut Request<Full<Bytes>>,
        result: &mut Result<Response<R>, E>,
    ) -> Option<Self::Future> {
        let is_busy = result
            .as_ref()
            .is_ok_and(|response| response.status() == 503);
        is_busy.then(|| {
            self.0.fetch_add(1, Ordering::Relaxed);
            std::future::ready(())
        })
    }

    fn clone_request(&mut self, request: &Request<Full<Bytes>>) -> Option<Request<Full<Bytes>>> {
        Some(request.clone())
    }
}

/// Outside, each attempt gets what is left; inside, it would promise what is gone.
#[tokio::test]
async fn each_attempt_of_a_retry_outside_has_what_is_left_of_one_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (send, mut asked) = unbounded_channel();
    let busy = axum::routing::get(async move |headers: HeaderMap| {
        let timeout = headers["grpc-timeout"].to_str().unwrap();
        let (amount, unit) = timeout.split_at(timeout.len() - 1);
        let amount: u64 = amount.parse().unwrap();
        let micros = if unit == "u" { amount } else { amount / 1000 };
        send.send(micros).unwrap();
        tokio::time::sleep(Duration::from_millis(40)).await;
        StatusCode::SERVICE_UNAVAILABLE
    });
    let app = axum::Router::new().route("/", busy);
    let serving = tokio::spawn(async move { axum::serve(listener, app).await });

    let request = |ctx: &Context| {
        let request = Request::get(format!("http://{address}/")).extension(ctx.clone());
        request.body(Full::<Bytes>::default()).unwrap()
    };
    let http: Client<HttpConnector, Full<Bytes>> =
        Client::builder(TokioExecutor::new()).build_http();

    let retries = Arc::new(AtomicUsize::new(0));
    let outside = Retry::new(
        WhileBusy(retries.clone()),
        PropagateLayer::new().layer(http.clone()),
    );
    let ctx = Context::background().with_timeout(Duration::from_millis(400));
    let error = within(outside.oneshot(request(&ctx))).await.unwrap_err();
    assert!(
        error.is::<ContextError>(),
        "the deadline ends the attempts: {error}"
    );
    assert!(retries.load(Ordering::Relaxed) >= 1);
    let mut left = vec![asked.recv().await.unwrap()];
    while let Ok(next) = asked.try_recv() {
        left.push(next);
    }
    assert!(left.len() >= 2, "{left:?}");
    assert!(
        left.is_sorted_by(|one, next| *one >= next + 40_000),
        "{left:?}"
    );

    let inside = PropagateLayer::new().layer(Retry::new(WhileBusy(retries), http));
    let ctx = Context::background().with_timeout(Duration::from_millis(400));
    assert!(within(inside.oneshot(request(&ctx))).await.is_err());
    let first = asked.recv().await.unwrap();
    assert_eq!(
        asked.recv().await.unwrap(),
        first,
        "the second attempt repeats the first"
    );
    serving.abort();
}

#[tokio::test(start_paused = true)]
async fn strangers_are_not_told_how_long_their_caller_waits() {
    let layer = PropagateLayer::new().without_grpc_timeout();
    let ctx = Context::background().with_timeout(Duration::from_secs(2));
    let request = Request::builder().extension(ctx.clone()).body(()).unwrap();
    assert!(sent(&layer, request).await.is_empty());

    // The call is given up all the same.
    let silent =
        service_fn(|_: Request<()>| std::future::pending::<Result<Response<String>, Infallible>>());
    let request = Request::builder().extension(ctx).body(()).unwrap();
    let error = layer.layer(silent).oneshot(request).await.unwrap_err();
    assert!(error.is::<ContextError>());
}
