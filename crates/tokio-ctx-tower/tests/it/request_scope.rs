//! Work that a handler spawns is part of its request.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::response::IntoResponse;
use axum::routing::get;
use futures_util::stream;
use http::{HeaderMap, HeaderValue, Method, Request, Response, header};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc};
use tokio_ctx_core::{Context, Reason};
use tokio_ctx_tower::ContextLayer;
use tokio_ctx_tower::request_scope::{RequestScope, RequestScopeLayer};
use tower::{BoxError, ServiceExt, service_fn};
use tower_layer::Layer;

use crate::stage::{H2, Stage, ask, eventually, send, within};

/// What the tasks of this file's handlers did, by the name in the query.
static DONE: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn note(what: impl Into<String>) {
    DONE.lock().unwrap().push(what.into());
}

fn is_noted(what: &str) -> bool {
    DONE.lock().unwrap().iter().any(|done| done == what)
}

pub(crate) async fn whole(scope: RequestScope) -> &'static str {
    scope.spawn(async |ctx: Context| {
        tokio::task::yield_now().await;
        ctx.check()?;
        note("whole");
        Ok(())
    });
    "whole"
}

pub(crate) async fn streamed(scope: RequestScope) -> Body {
    let (sender, mut receiver) = mpsc::channel(1);
    scope.spawn(async move |_| {
        for part in ["one ", "two ", "three"] {
            sender.send(part).await?;
        }
        drop(sender);
        tokio::task::yield_now().await;
        note("streamed");
        Ok(())
    });
    let parts = stream::poll_fn(move |cx| receiver.poll_recv(cx));
    Body::from_stream(futures_util::StreamExt::map(parts, Ok::<_, std::io::Error>))
}

/// A stream whose length only its header knows, and a task that takes longer than it.
pub(crate) async fn sized(scope: RequestScope) -> impl IntoResponse {
    scope.spawn(async |ctx: Context| {
        let worked = ctx
            .run(tokio::time::sleep(Duration::from_millis(100)))
            .await;
        note(if worked.is_ok() {
            "sized"
        } else {
            "sized, cut"
        });
        Ok(())
    });
    let parts = stream::iter(["1234", "5678"].map(Ok::<_, std::io::Error>));
    ([(header::CONTENT_LENGTH, "8")], Body::from_stream(parts))
}

pub(crate) async fn hang(scope: RequestScope) -> &'static str {
    scope.spawn(async |ctx: Context| {
        let why = ctx.done().await;
        // Longer than the client: adopted, so the server's end still waits for it.
        tokio::time::sleep(Duration::from_millis(50)).await;
        note(format!("hang {:?}", why.reason()));
        Ok(())
    });
    std::future::pending().await
}

pub(crate) async fn fail(scope: RequestScope, ctx: Context) -> String {
    scope.spawn(async |_| Err::<(), _>("out of stock".into()));
    format!("{:?}", ctx.done().await.reason())
}

pub(crate) async fn panic(scope: RequestScope) -> &'static str {
    scope.spawn(async |_| -> Result<(), BoxError> { panic!("a bug in a task") });
    "never sent"
}

#[tokio::test]
async fn the_answer_waits_for_the_tasks() {
    let stage = Stage::start().await;
    let answer = ask(stage.address, "GET /scoped", &[]).await;
    assert_eq!((answer.status, &*answer.body), (200, "whole"));
    assert!(is_noted("whole"));
    stage.shut_down().await;
}

#[tokio::test]
async fn a_stream_is_sent_while_its_task_runs_and_ends_after_it() {
    let stage = Stage::start().await;
    let answer = ask(stage.address, "GET /scoped/stream", &[]).await;
    assert!(answer.body.contains("three"), "{answer:?}");
    assert!(answer.body.ends_with("0\r\n\r\n"), "{answer:?}");
    assert!(is_noted("streamed"));
    stage.shut_down().await;
}

#[tokio::test]
async fn tasks_of_a_dropped_handler_are_asked_to_stop_and_joined_by_the_server() {
    let mut stage = Stage::start().await;
    let client = send(stage.address, "GET /scoped/hang", &[]).await;
    stage.started().await;
    drop(client);
    assert_eq!(stage.ended().await.0, Reason::CallerGone);
    let asked = Instant::now();
    // Returns only once the task has ended, which nobody but the server waits for.
    stage.shut_down().await;
    assert!(is_noted("hang CallerGone"));
    assert!(asked.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_task_that_fails_ends_the_request_and_the_handler_still_answers() {
    let stage = Stage::start().await;
    let answer = ask(stage.address, "GET /scoped/fail", &[]).await;
    assert_eq!((answer.status, &*answer.body), (200, "TaskFailed"));
    stage.shut_down().await;
}

#[tokio::test]
async fn a_task_that_panics_is_a_handler_that_panics() {
    let mut stage = Stage::start().await;
    let refused = crate::stage::try_ask(stage.address, "GET /scoped/panic", &[]).await;
    assert_eq!(refused, None);
    assert_eq!(stage.ended().await.0, Reason::TaskPanicked);
    eventually("nothing is left", || stage.layer.live_requests() == 0).await;
    assert_eq!(ask(stage.address, "GET /scoped", &[]).await.status, 200);
    stage.shut_down().await;
}

/// A stream of gRPC has its status in its trailers, and servers read no further.
#[tokio::test]
async fn trailers_wait_for_the_tasks_too() {
    let release = Arc::new(Notify::new());
    let wait = release.clone();
    let handler = service_fn(move |request: Request<()>| {
        let scope = request.extensions().get::<RequestScope>().unwrap().clone();
        let wait = wait.clone();
        async move {
            scope.spawn(async move |_| {
                wait.notified().await;
                note("trailers");
                Ok(())
            });
            let frames = [
                Frame::data(Bytes::from("data")),
                Frame::trailers(HeaderMap::new()),
            ];
            let frames = stream::iter(frames.map(Ok::<_, Infallible>));
            Ok::<_, Infallible>(Response::new(StreamBody::new(frames)))
        }
    });
    let service = RequestScopeLayer::new().layer(handler);
    let mut body = service
        .oneshot(Request::new(()))
        .await
        .unwrap()
        .into_body()
        .boxed_unsync();
    assert!(body.frame().await.unwrap().unwrap().is_data());
    {
        let mut trailers = pin!(body.frame());
        assert!(futures_util::poll!(trailers.as_mut()).is_pending());
        assert!(!is_noted("trailers"));
        release.notify_one();
        assert!(within(trailers).await.unwrap().unwrap().is_trailers());
    }
    assert!(is_noted("trailers"));
    assert!(body.frame().await.is_none());
}

#[tokio::test]
async fn trailers_on_a_connection_come_after_the_tasks() {
    let trailed = async |scope: RequestScope| {
        scope.spawn(async |ctx: Context| {
            let worked = ctx.run(tokio::time::sleep(Duration::from_millis(100)));
            worked.await?;
            note("trailed");
            Ok(())
        });
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static("0"));
        let frames = [Frame::data(Bytes::from("data")), Frame::trailers(trailers)];
        Body::new(StreamBody::new(stream::iter(
            frames.map(Ok::<_, Infallible>),
        )))
    };
    let layer = ContextLayer::new(&Context::background());
    let app = Router::new()
        .route("/", get(trailed))
        .layer(RequestScopeLayer::new())
        .layer(layer.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move { axum::serve(listener, app).await });
    let mut h2 = H2::connect(address).await;
    let (response, _request) = h2.send("/", &[]).await;
    let mut body = within(response).await.unwrap().into_body();
    assert_eq!(within(body.data()).await.unwrap().unwrap(), "data");
    let trailers = within(body.trailers()).await.unwrap().unwrap();
    assert_eq!(trailers["grpc-status"], "0");
    assert!(is_noted("trailed"), "the task was joined");
    eventually("the request is over", || layer.live_requests() == 0).await;
    serving.abort();
}

/// The head says where the answer ends, and servers read no further.
#[tokio::test]
async fn the_answer_waits_for_tasks_however_its_end_is_known() {
    let stage = Stage::start().await;
    let mut h2 = H2::connect(stage.address).await;
    for way in ["GET", "HEAD", "h2"] {
        DONE.lock()
            .unwrap()
            .retain(|done| !done.starts_with("sized"));
        match way {
            "h2" => {
                let (status, seen) = h2.ask("/scoped/sized", &[]).await;
                assert_eq!((status, seen), (200, 12345678.into()));
            }
            _ => {
                let answer = ask(stage.address, &format!("{way} /scoped/sized"), &[]).await;
                assert_eq!(answer.status, 200);
                assert_eq!(answer.body, if way == "GET" { "12345678" } else { "" });
                assert!(answer.head.contains("content-length: 8"), "{answer:?}");
            }
        }
        assert!(is_noted("sized") && !is_noted("sized, cut"), "{way}");
    }
    drop(h2);
    stage.shut_down().await;
}

/// Nobody reads the body of an answer to HEAD, so what feeds it must not wait for a reader.
#[tokio::test]
async fn an_answer_to_head_lets_go_of_its_stream_and_joins_what_fed_it() {
    let (send_end, mut end) = mpsc::channel(1);
    let handler = service_fn(move |request: Request<()>| {
        let scope = request.extensions().get::<RequestScope>().unwrap().clone();
        let send_end = send_end.clone();
        async move {
            let (sender, mut receiver) = mpsc::channel(1);
            scope.spawn(async move |_| {
                while sender.send(Bytes::from("part")).await.is_ok() {}
                send_end.send("nobody reads").await?;
                Ok(())
            });
            let parts = stream::poll_fn(move |cx| receiver.poll_recv(cx));
            let frames =
                futures_util::StreamExt::map(parts, |part| Ok::<_, Infallible>(Frame::data(part)));
            Ok::<_, Infallible>(Response::new(StreamBody::new(frames)))
        }
    });
    let service = RequestScopeLayer::new().layer(handler);
    let request = Request::builder().method(Method::HEAD).body(()).unwrap();
    let response = within(service.oneshot(request)).await.unwrap();
    assert_eq!(
        end.try_recv().unwrap(),
        "nobody reads",
        "the task was joined"
    );
    assert!(
        response
            .into_body()
            .collect()
            .await
            .unwrap()
            .to_bytes()
            .is_empty()
    );
}
