//! Requests end with their bodies, and bodies with their requests.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::post;
use futures_util::{StreamExt as _, stream};
use http::{HeaderMap, Request, Response, header};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio_ctx_core::{Context, Reason};
use tokio_ctx_tower::ContextLayer;
use tower::{ServiceExt, service_fn};
use tower_layer::Layer;

use crate::stage::{H2, LARGE, Stage, ask, send, within};

#[tokio::test]
async fn a_request_is_finished_when_its_body_is() {
    let mut stage = Stage::start().await;
    // Whole, without any, with a length that only the header knows, and to a HEAD.
    for line in [
        "GET /look",
        "GET /missing",
        "GET /sized",
        "HEAD /look",
        "HEAD /sized",
        "HEAD /large/encoded",
        // Of a stream without an end.
        "HEAD /endless",
        "HEAD /silent",
    ] {
        let answer = ask(stage.address, line, &[]).await;
        assert!(
            answer.status == 200 || line == "GET /missing",
            "{line}: {answer:?}"
        );
        if line != "GET /missing" {
            assert_eq!(stage.ended().await.0, Reason::RequestFinished, "{line}");
        }
    }
    let mut h2 = H2::connect(stage.address).await;
    for path in ["/look", "/sized"] {
        h2.ask(path, &[]).await;
        assert_eq!(stage.ended().await.0, Reason::RequestFinished, "{path}");
    }
    drop(h2);
    stage.shut_down().await;
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_of_the_body_is_gone() {
    let mut stage = Stage::start().await;
    for path in ["/endless", "/silent", "/events"] {
        let mut client = send(stage.address, &format!("GET {path}"), &[]).await;
        within(client.read_u8()).await.unwrap();
        drop(client);
        assert_eq!(stage.ended().await.0, Reason::CallerGone, "{path}");

        let mut h2 = H2::connect(stage.address).await;
        let (response, mut stream) = h2.send(path, &[]).await;
        let mut body = within(response).await.unwrap().into_body();
        within(body.data()).await.unwrap().unwrap();
        stream.send_reset(h2::Reason::CANCEL);
        assert_eq!(stage.ended().await.0, Reason::CallerGone, "{path}");
    }
    stage.shut_down().await;
}

#[tokio::test]
async fn a_stream_that_is_cut_off_says_so() {
    let mut stage = Stage::start().await;
    for path in ["/endless", "/silent"] {
        let mut client = send(
            stage.address,
            &format!("GET {path}"),
            &[("x-timeout-ms", "30")],
        )
        .await;
        let mut bytes = Vec::new();
        within(client.read_to_end(&mut bytes)).await.unwrap();
        assert!(
            !bytes.ends_with(b"0\r\n\r\n"),
            "{path}: a part looks like the whole"
        );
        assert_eq!(stage.ended().await.0, Reason::Deadline, "{path}");

        let mut h2 = H2::connect(stage.address).await;
        let (response, _) = h2.send(path, &[("x-timeout-ms", "30")]).await;
        let mut body = within(response).await.unwrap().into_body();
        let error = loop {
            match within(body.data()).await {
                Some(Ok(data)) => body.flow_control().release_capacity(data.len()).unwrap(),
                Some(Err(error)) => break error,
                None => panic!("{path}: a part looks like the whole"),
            }
        };
        assert_eq!(error.reason(), Some(h2::Reason::INTERNAL_ERROR), "{path}");
    }
    stage.shut_down().await;
}

#[tokio::test]
async fn a_client_that_leaves_an_encoded_body_is_gone() {
    let mut stage = Stage::start().await;
    let gzip = [("accept-encoding", "gzip")];
    let mut client = send(stage.address, "GET /large/encoded", &gzip).await;
    within(client.read_u8()).await.unwrap();
    drop(client);
    assert_eq!(stage.ended().await.0, Reason::CallerGone);
    stage.shut_down().await;
}

/// Base64 comes in groups of four: a status that follows half a group would not decode.
#[tokio::test]
async fn a_text_of_grpc_web_that_is_cut_inside_a_group_is_broken_off() {
    for (part, is_whole) in [("AAAA", true), ("AAA", false), ("AAAAA", false), ("", true)] {
        let answer = post(async move || {
            let parts = stream::iter([Ok::<_, Infallible>(part)]).chain(stream::pending());
            let text = [(header::CONTENT_TYPE, "application/grpc-web-text+proto")];
            (text, Body::from_stream(parts))
        });
        let layer = ContextLayer::new(&Context::background());
        let app = Router::new().route("/", answer).layer(layer);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(async move { axum::serve(listener, app).await });
        let headers = [("grpc-timeout", "60m"), ("content-length", "0")];
        let mut client = send(address, "POST /", &headers).await;
        let mut text = String::new();
        within(client.read_to_string(&mut text)).await.unwrap();
        assert_eq!(
            text.ends_with("\r\n0\r\n\r\n"),
            is_whole,
            "{part:?}: {text}"
        );
        // The flag and the length of the status, and how it begins.
        assert_eq!(text.contains("gAAAA"), is_whole, "{part:?}: {text}");
        serving.abort();
    }
}

/// It was whole when its deadline passed, and only the client is slow.
#[tokio::test]
async fn a_whole_body_is_sent_to_its_end_encoded_or_not() {
    let mut stage = Stage::start().await;
    for (path, headers) in [
        ("/large", &[("x-timeout-ms", "60")][..]),
        (
            "/large/encoded",
            &[("x-timeout-ms", "60"), ("accept-encoding", "gzip")],
        ),
    ] {
        let mut client = send(stage.address, &format!("GET {path}"), headers).await;
        assert_eq!(stage.ended().await.0, Reason::Deadline, "{path}");
        let mut bytes = Vec::new();
        within(client.read_to_end(&mut bytes)).await.unwrap();
        let head = String::from_utf8_lossy(&bytes[..200.min(bytes.len())]).into_owned();
        assert!(head.starts_with("HTTP/1.1 200"), "{path}: {head}");
        assert_eq!(
            head.contains("content-encoding: gzip"),
            path != "/large",
            "{head}"
        );
        assert!(
            bytes.len() > LARGE,
            "{path}: cut after {} bytes",
            bytes.len()
        );
        let is_chunked = head.contains("transfer-encoding: chunked");
        assert!(!is_chunked || bytes.ends_with(b"0\r\n\r\n"), "{path}: cut");
    }
    stage.shut_down().await;
}

#[tokio::test]
async fn events_just_end() {
    let stage = Stage::start().await;
    let answer = ask(stage.address, "GET /events", &[("x-timeout-ms", "30")]).await;
    assert!(answer.body.ends_with("first\r\n0\r\n\r\n"), "{answer:?}");
    stage.shut_down().await;
}

#[tokio::test]
async fn the_servers_end_ends_streams() {
    let mut stage = Stage::start().await;
    let mut client = send(stage.address, "GET /events", &[]).await;
    within(client.read_u8()).await.unwrap();
    stage.stop.cancel();
    assert_eq!(stage.ended().await.0, Reason::Cancelled);
    let mut rest = String::new();
    within(client.read_to_string(&mut rest)).await.unwrap();
    assert!(rest.ends_with("first\r\n0\r\n\r\n"), "{rest:?}");
    stage.shut_down().await;
}

/// Servers read no further than to the trailers, so nobody asks whether there is more.
#[tokio::test]
async fn trailers_are_the_end() {
    for (read, reason) in [(1, Reason::CallerGone), (2, Reason::RequestFinished)] {
        let seen = Arc::new(Mutex::new(None));
        let keep = seen.clone();
        let handler = service_fn(move |request: Request<()>| {
            *keep.lock().unwrap() = request.extensions().get::<Context>().cloned();
            let frames = [
                Frame::data(Bytes::from("data")),
                Frame::trailers(HeaderMap::new()),
            ];
            let body = StreamBody::new(stream::iter(frames.map(Ok::<_, Infallible>)));
            async { Ok::<_, Infallible>(Response::new(body)) }
        });
        let service = ContextLayer::new(&Context::background()).layer(handler);
        let response = service.oneshot(Request::new(())).await.unwrap();
        let mut body = response.into_body().boxed_unsync();
        for _ in 0..read {
            body.frame().await.unwrap().unwrap();
        }
        drop(body);
        let ctx = seen.lock().unwrap().take().unwrap();
        assert_eq!(ctx.err().unwrap().reason(), reason);
    }
}
