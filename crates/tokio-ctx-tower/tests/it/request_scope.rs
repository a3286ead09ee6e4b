//! Work that a handler spawns is part of its request.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use futures_util::stream;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use tokio::sync::{Notify, mpsc};
use tokio_ctx_core::{Context, Reason};
use tokio_ctx_tower::request_scope::{RequestScope, RequestScopeLayer, TaskError};
use tower::{ServiceExt, service_fn};
use tower_layer::Layer;

use crate::stage::{Stage, ask, eventually, send, within};

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
    scope.spawn(async |_| Err::<(), _>(TaskError::new("out of stock")));
    format!("{:?}", ctx.done().await.reason())
}

pub(crate) async fn panic(scope: RequestScope) -> &'static str {
    scope.spawn(async |_| -> Result<(), TaskError> { panic!("a bug in a task") });
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
