//! The page "the order of layers", row by row.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Extension, Request};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::get;
use futures_util::{StreamExt as _, stream};
use http::{HeaderName, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio_ctx_core::{Context, Reason};
use tokio_ctx_tower::ContextLayer;
use tokio_ctx_tower::propagate::PropagateLayer;
use tokio_ctx_tower::request_scope::{RequestScope, RequestScopeLayer};
use tower::ServiceExt as _;
use tower::timeout::TimeoutLayer as CallTimeoutLayer;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::TraceLayer;
use tower_layer::Layer as _;

use crate::stage::{Stage, answer, ask, send, within};

/// Why the contexts of requests ended.
type Ended = UnboundedReceiver<Reason>;

fn context() -> ContextLayer {
    ContextLayer::new(&Context::background())
        .timeout_header(HeaderName::from_static("x-timeout-ms"))
}

/// Handlers, each of which tells why its context ended.
fn handlers() -> (Router, Ended) {
    let (ended, receiver) = unbounded_channel();
    let watch = middleware::from_fn(move |request: Request, next: Next| {
        let ended = ended.clone();
        if let Some(ctx) = request.extensions().get::<Context>() {
            ctx.on_cancel(move |why| {
                let _ = ended.send(why.reason());
            })
            .disarm();
        }
        next.run(request)
    });
    let parts = || {
        stream::repeat(()).then(async |()| {
            tokio::time::sleep(Duration::from_millis(2)).await;
            Ok::<_, std::io::Error>("part of a stream\n")
        })
    };
    let router = Router::new()
        .route("/hang", get(std::future::pending::<&'static str>))
        .route("/stream", get(async move || Body::from_stream(parts())))
        .route(
            "/panic",
            get(async || panic!("a bug in a handler") as &'static str),
        )
        .route_layer(watch);
    (router, receiver)
}

async fn start(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

async fn reason(ended: &mut Ended) -> Reason {
    within(ended.recv()).await.unwrap()
}

#[tokio::test]
async fn a_timeout_outside_looks_like_a_hang_up() {
    let timeout =
        || TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, Duration::from_millis(60));
    let (app, mut ended) = handlers();
    let address = start(app.layer(context()).layer(timeout())).await;
    assert_eq!(ask(address, "GET /hang", &[]).await.status, 408);
    assert_eq!(reason(&mut ended).await, Reason::CallerGone);

    // Inside, it is an answer of the handler, as far as the context can see.
    let (app, mut ended) = handlers();
    let address = start(app.layer(timeout()).layer(context())).await;
    assert_eq!(ask(address, "GET /hang", &[]).await.status, 408);
    assert_eq!(reason(&mut ended).await, Reason::RequestFinished);

    // In its place.
    let (app, mut ended) = handlers();
    let limit = context()
        .default_timeout(Duration::from_millis(60))
        .answer_when_done();
    let address = start(app.layer(limit)).await;
    assert_eq!(ask(address, "GET /hang", &[]).await.status, 504);
    assert_eq!(reason(&mut ended).await, Reason::Deadline);
}

/// How a stream ends whose deadline passes: its last bytes.
async fn rest_of_stream(address: SocketAddr) -> Vec<u8> {
    let headers = [("accept-encoding", "gzip"), ("x-timeout-ms", "60")];
    let mut client = send(address, "GET /stream", &headers).await;
    let mut bytes = Vec::new();
    let reading = tokio::time::timeout(Duration::from_millis(600), client.read_to_end(&mut bytes));
    match reading.await {
        Ok(read) => drop(read),
        Err(_) => bytes = b"it goes on".to_vec(),
    }
    bytes
}

#[tokio::test]
async fn compression_outside_leaves_streams_to_their_deadline() {
    let (app, mut ended) = handlers();
    let address = start(app.layer(context()).layer(CompressionLayer::new())).await;
    let rest = rest_of_stream(address).await;
    assert!(
        !rest.ends_with(b"0\r\n\r\n") && rest != b"it goes on",
        "a part looks like the whole"
    );
    assert_eq!(reason(&mut ended).await, Reason::Deadline);

    // Inside, nobody can see any more that it is a stream.
    let (app, mut ended) = handlers();
    let address = start(app.layer(CompressionLayer::new()).layer(context())).await;
    assert_eq!(rest_of_stream(address).await, b"it goes on");
    assert_eq!(reason(&mut ended).await, Reason::Deadline);
}

#[tokio::test]
async fn a_panic_that_is_caught_outside_is_seen_by_the_context() {
    let (app, mut ended) = handlers();
    let address = start(app.layer(context()).layer(CatchPanicLayer::new())).await;
    assert_eq!(ask(address, "GET /panic", &[]).await.status, 500);
    assert_eq!(reason(&mut ended).await, Reason::TaskPanicked);

    let (app, mut ended) = handlers();
    let address = start(app.layer(CatchPanicLayer::new()).layer(context())).await;
    assert_eq!(ask(address, "GET /panic", &[]).await.status, 500);
    assert_eq!(reason(&mut ended).await, Reason::RequestFinished);
}

#[tokio::test]
async fn a_trace_outside_sees_the_answers_of_the_layer() {
    let counting = |seen: &Arc<AtomicUsize>| {
        let seen = seen.clone();
        TraceLayer::new_for_http().on_response(move |response: &Response<_>, _, _: &_| {
            seen.fetch_add(usize::from(response.status().as_u16()), Ordering::Relaxed);
        })
    };
    let late = || {
        context()
            .default_timeout(Duration::from_millis(30))
            .answer_when_done()
    };

    let outside = Arc::new(AtomicUsize::new(0));
    let address = start(handlers().0.layer(late()).layer(counting(&outside))).await;
    assert_eq!(ask(address, "GET /hang", &[]).await.status, 504);
    assert_eq!(outside.load(Ordering::Relaxed), 504);

    let inside = Arc::new(AtomicUsize::new(0));
    let address = start(handlers().0.layer(counting(&inside)).layer(late())).await;
    assert_eq!(ask(address, "GET /hang", &[]).await.status, 504);
    assert_eq!(inside.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_request_scope_inside_has_the_deadline_of_its_request() {
    let look = get(
        async |scope: RequestScope, Extension(ctx): Extension<Context>| {
            format!(
                "{} {}",
                scope.context().deadline().is_some(),
                ctx.deadline().is_some()
            )
        },
    );
    let limit = || context().default_timeout(Duration::from_secs(5));
    for (app, seen) in [
        (
            Router::new()
                .route("/", look.clone())
                .layer(RequestScopeLayer::new())
                .layer(limit()),
            "true true",
        ),
        // Outside, its tasks are not stopped with the request.
        (
            Router::new()
                .route("/", look)
                .layer(limit())
                .layer(RequestScopeLayer::new()),
            "false true",
        ),
    ] {
        let address = start(app).await;
        assert_eq!(ask(address, "GET /", &[]).await.body, seen);
    }
}

/// A client's own timeout is as good on either side: the server learns that nobody waits.
#[tokio::test]
async fn a_timeout_of_a_client_may_be_on_either_side() {
    let mut stage = Stage::start().await;
    let request = |path: &str| {
        let request = http::Request::get(format!("http://{}{path}", stage.address));
        request
            .extension(Context::background().with_cancel().disarm())
            .body(Body::empty())
            .unwrap()
    };
    let http = Client::builder(TokioExecutor::new()).build_http();
    let timeout = CallTimeoutLayer::new(Duration::from_millis(60));
    let propagate = PropagateLayer::new();
    let (outside, inside) = (request("/hang"), request("/hang"));

    let client = timeout.layer(propagate.layer(http.clone()));
    assert!(within(client.oneshot(outside)).await.is_err());
    assert_eq!(stage.ended().await.0, Reason::CallerGone);

    let client = propagate.layer(timeout.layer(http));
    assert!(within(client.oneshot(inside)).await.is_err());
    assert_eq!(stage.ended().await.0, Reason::CallerGone);
    stage.shut_down().await;
}

/// Nothing of the layer needs a certain order with what only looks at heads.
#[tokio::test]
async fn an_answer_is_whole_under_all_of_them_together() {
    let (app, mut ended) = handlers();
    let app = app
        .route("/", get(async || "hello"))
        .layer(RequestScopeLayer::new())
        .layer(context())
        .layer(CompressionLayer::new())
        .layer(CatchPanicLayer::new())
        .layer(TraceLayer::new_for_http());
    let address = start(app).await;
    let hello = answer(send(address, "GET /", &[]).await).await;
    assert_eq!((hello.status, hello.body.as_str()), (200, "hello"));
    assert_eq!(ask(address, "GET /panic", &[]).await.status, 500);
    assert_eq!(reason(&mut ended).await, Reason::TaskPanicked);
}
