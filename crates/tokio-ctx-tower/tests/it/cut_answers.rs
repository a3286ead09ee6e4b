//! Bodies of answers that the end of the caller's context cuts off, from servers that are slow,
//! that never pause, and that fail.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::routing::get;
use futures_util::{StreamExt as _, stream};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio_ctx_core::{Context, Reason};
use tokio_ctx_tower::context::DeadlineSource;
use tokio_ctx_tower::propagate::{PropagateBody, PropagateLayer};
use tokio_ctx_tower::{ContextError, ContextLayer};
use tower::retry::{Policy, Retry};
use tower::{BoxError, ServiceExt, service_fn};
use tower_layer::Layer;

use crate::stage::{send, within};

/// How a server goes on that has sent the head of a long answer.
#[derive(Clone, Copy, Debug)]
enum Manner {
    /// A byte now and then.
    Slow,
    /// As fast as it is read.
    Ceaseless,
    /// It says no more.
    Silent,
}

/// Serves one connection until its client closes it.
async fn serve(manner: Manner) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 1024];
        assert!(stream.read(&mut request).await.unwrap() > 0);
        let head = b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000000\r\n\r\n.";
        stream.write_all(head).await.unwrap();
        go_on(stream, manner).await;
    });
    (address, serving)
}

async fn go_on(mut stream: TcpStream, manner: Manner) {
    let chunk = vec![b'.'; 1 << 16];
    loop {
        match manner {
            Manner::Slow => {
                tokio::time::sleep(Duration::from_millis(5)).await;
                if stream.write_all(b".").await.is_err() {
                    return;
                }
            }
            Manner::Ceaseless => {
                if stream.write_all(&chunk).await.is_err() {
                    return;
                }
            }
            Manner::Silent => return drop(stream.read(&mut [0; 1]).await),
        }
    }
}

const MANNERS: [Manner; 3] = [Manner::Slow, Manner::Ceaseless, Manner::Silent];

fn http() -> Client<HttpConnector, Full<Bytes>> {
    Client::builder(TokioExecutor::new()).build_http()
}

/// The answer of the server, of which the head has come.
async fn call(ctx: &Context, address: SocketAddr) -> Pin<Box<PropagateBody<Incoming>>> {
    let request = Request::get(format!("http://{address}/")).extension(ctx.clone());
    let client = PropagateLayer::new().layer(http());
    let response = within(client.oneshot(request.body(Full::default()).unwrap())).await;
    Box::pin(response.unwrap().into_body())
}

async fn failure<B: http_body::Body<Error = BoxError>>(body: B) -> BoxError {
    let mut body = pin!(body);
    let read = async {
        loop {
            match body.frame().await {
                Some(Ok(_)) => {}
                Some(Err(error)) => return error,
                None => panic!("it came to its end"),
            }
        }
    };
    within(read).await
}

fn why(error: &BoxError) -> &tokio_ctx_core::Cancelled {
    let error = error.downcast_ref::<ContextError>();
    error.expect("the context ended").cancelled()
}

#[tokio::test]
async fn an_answer_that_its_deadline_cuts_off_fails_with_that_deadline() {
    for manner in MANNERS {
        let (address, serving) = serve(manner).await;
        let soon = Duration::from_millis(80);
        let ctx = Context::background().with_timeout_cause(soon, DeadlineSource::Default);
        let error = failure(call(&ctx, address).await).await;
        assert_eq!(why(&error).reason(), Reason::Deadline, "{manner:?}");
        let source: Option<&DeadlineSource> = why(&error).cause();
        assert_eq!(source, Some(&DeadlineSource::Default), "{manner:?}");
        // Its connection is closed, so the server notices.
        within(serving).await.unwrap();
    }
}

#[tokio::test]
async fn an_answer_that_is_cancelled_fails_with_the_cause() {
    for manner in MANNERS {
        let (address, serving) = serve(manner).await;
        let ctx = Context::background().with_cancel();
        let mut body = call(&ctx, address).await;
        within(body.frame()).await.unwrap().unwrap();
        ctx.cancel_with("no longer interesting");
        let error = failure(body).await;
        assert_eq!(why(&error).reason(), Reason::Cancelled, "{manner:?}");
        assert!(error.to_string().contains("no longer interesting"));
        within(serving).await.unwrap();
    }
}

/// A service that fetches what it answers, and whose client hangs up.
#[tokio::test]
async fn an_answer_whose_reader_hangs_up_fails_because_the_caller_is_gone() {
    for manner in MANNERS {
        let (address, serving) = serve(manner).await;
        let (tell, mut told) = unbounded_channel();
        let fetch = async move |ctx: Context| {
            let mut body = call(&ctx, address).await;
            body.frame().await.unwrap().unwrap();
            // In a task, which goes on when the client has left.
            let fetching = tokio::spawn(async move {
                tell.send(None).unwrap();
                tell.send(Some(failure(body).await)).unwrap();
            });
            fetching.await.unwrap();
        };
        let server = Context::background().with_cancel();
        let layer = ContextLayer::new(&server);
        let app = axum::Router::new().route("/", get(fetch)).layer(layer);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = listener.local_addr().unwrap();
        let proxy = tokio::spawn(async move { axum::serve(listener, app).await });
        let client = send(own, "GET /", &[]).await;
        assert!(within(told.recv()).await.unwrap().is_none());
        drop(client);
        let error = within(told.recv()).await.unwrap().unwrap();
        assert_eq!(why(&error).reason(), Reason::CallerGone, "{manner:?}");
        within(serving).await.unwrap();
        proxy.abort();
    }
}

/// Of two that fail at once, the context knows why.
#[tokio::test]
async fn an_answer_that_breaks_off_when_its_context_ends_fails_with_that_end() {
    let breaks = service_fn(async |_: Request<()>| {
        let broken = stream::iter([Err::<Bytes, _>(std::io::Error::other("connection reset"))]);
        Ok::<_, Infallible>(Response::new(Body::from_stream(broken)))
    });
    let ctx = Context::background().with_cancel();
    let request = || Request::builder().extension(Context::clone(&ctx)).body(());
    let client = PropagateLayer::new().layer(breaks);
    let body = client.clone().oneshot(request().unwrap()).await.unwrap();
    let error = failure(body.into_body()).await;
    assert!(!error.is::<ContextError>(), "the context lives: {error}");

    let body = client.oneshot(request().unwrap()).await.unwrap();
    ctx.cancel_with("no longer interesting");
    let error = failure(body.into_body()).await;
    assert_eq!(why(&error).reason(), Reason::Cancelled);
}

/// A layer inside may have it all: what it unpacks is ready for long.
#[tokio::test]
async fn an_answer_that_is_always_ready_ends_with_its_context() {
    let ready = service_fn(async |_: Request<()>| {
        let chunks = stream::repeat_with(|| Ok::<_, Infallible>(Bytes::from_static(b".")));
        Ok::<_, Infallible>(Response::new(Body::from_stream(chunks.take(1000))))
    });
    let ctx = Context::background().with_cancel();
    let request = Request::builder().extension(Context::clone(&ctx)).body(());
    let response = PropagateLayer::new().layer(ready).oneshot(request.unwrap());
    let mut body = Box::pin(response.await.unwrap().into_body());
    for _ in 0..10 {
        body.frame().await.unwrap().unwrap();
    }
    ctx.cancel();
    let mut late = 0;
    let error = loop {
        match body.frame().await.expect("it came to its end") {
            Ok(_) => late += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(why(&error).reason(), Reason::Cancelled);
    assert!(late < 10, "{late} frames after the end");
}

/// Tries again whatever went wrong, for so many times.
#[derive(Clone)]
struct Stubborn {
    left: usize,
    failed: UnboundedSender<Reason>,
}

impl<R> Policy<Request<Full<Bytes>>, Response<R>, BoxError> for Stubborn {
    type Future = std::future::Ready<()>;

    fn retry(
        &mut self,
        _: &mut Request<Full<Bytes>>,
        result: &mut Result<Response<R>, BoxError>,
    ) -> Option<Self::Future> {
        let error = result.as_ref().err()?;
        self.failed.send(why(error).reason()).unwrap();
        self.left = self.left.checked_sub(1)?;
        Some(std::future::ready(()))
    }

    fn clone_request(&mut self, request: &Request<Full<Bytes>>) -> Option<Request<Full<Bytes>>> {
        Some(request.clone())
    }
}

/// However stubborn the policy, what is past its deadline reaches no server.
#[tokio::test]
async fn a_retry_after_the_end_of_its_context_sends_nothing() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let hang = get(async move || {
        count.fetch_add(1, Ordering::Relaxed);
        std::future::pending::<Body>().await
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = axum::Router::new().route("/", hang);
    let serving = tokio::spawn(async move { axum::serve(listener, app).await });

    let (failed, mut failures) = unbounded_channel();
    let policy = Stubborn { left: 3, failed };
    let client = Retry::new(policy, PropagateLayer::new().layer(http()));
    let ctx = Context::background().with_timeout(Duration::from_millis(80));
    let request = Request::get(format!("http://{address}/")).extension(ctx);
    let request = request.body(Full::default()).unwrap();
    let error = within(client.oneshot(request)).await.unwrap_err();
    assert_eq!(why(&error).reason(), Reason::Deadline);
    let mut reasons = Vec::new();
    while let Some(reason) = failures.recv().await {
        reasons.push(reason);
    }
    assert_eq!(reasons, [Reason::Deadline; 4], "the policy sees why");
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    serving.abort();
}
