//! WebSockets, as what follows any upgrade, on HTTP/1 and HTTP/2.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::Request;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use axum::routing::any;
use bytes::Bytes;
use http::{Method, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio_ctx_core::{CancelGuard, Cancelled, Context, Reason};
use tokio_ctx_tower::ContextLayer;
use tokio_ctx_tower::request_scope::{RequestScope, RequestScopeLayer};
use tokio_ctx_tower::serve::{ServeOptions, ServeReport, Upgrade};
use tower_http::compression::CompressionLayer;
use tower_layer::Layer as _;

use crate::stage::{Shop, eventually, within};

/// A masked frame with a short text, as clients send it. The mask is zero.
fn frame(text: &str) -> Vec<u8> {
    let mut frame = vec![0x81, 0x80 | text.len() as u8, 0, 0, 0, 0];
    frame.extend_from_slice(text.as_bytes());
    frame
}

/// The frame with which the server says goodbye.
const CLOSE: [u8; 2] = [0x88, 0];

const HANDSHAKE: &str = "GET /chat HTTP/1.1\r\nhost: test\r\nconnection: upgrade\r\n\
    upgrade: websocket\r\nsec-websocket-version: 13\r\n\
    sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nx-shop: 7\r\n\r\n";

struct Chats {
    address: SocketAddr,
    stop: CancelGuard,
    ends: UnboundedReceiver<(Option<u32>, Cancelled)>,
    /// The status of each request that is over, and why it ended.
    requests: UnboundedReceiver<(Option<u16>, Reason)>,
    serving: JoinHandle<ServeReport>,
}

/// Serves two chats that echo: one with a context, and one of somebody who knows of none.
async fn chats(options: ServeOptions) -> Chats {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = Context::background().with_cancel();
    let ctx = stop.clone();
    let (ended, ends) = unbounded_channel();
    let (over, requests) = unbounded_channel();
    let serving = tokio::spawn(async move {
        let served = options.serve(&ctx, listener, |server| {
            let layer = ContextLayer::new(server.context())
                .max_timeout(Duration::from_millis(100))
                .key::<Shop>()
                .on_end(move |request| {
                    let status = request.status().map(|status| status.as_u16());
                    over.send((status, request.reason())).unwrap();
                });
            let router = Router::new()
                .route("/chat", any(async |upgrade, ws| chat(upgrade, ws, ended)))
                .route("/bare", any(bare))
                .route("/scoped", any(scoped).layer(RequestScopeLayer::new()))
                .fallback(tunnel)
                // It has nothing to compress.
                .layer(CompressionLayer::new());
            layer.layer(router)
        });
        served.await
    });
    Chats {
        address,
        stop,
        ends,
        requests,
        serving,
    }
}

static WORK: Mutex<Vec<Reason>> = Mutex::new(Vec::new());

/// Leaves a task of the request to work on.
async fn scoped(scope: RequestScope, ws: WebSocketUpgrade) -> Response {
    scope.spawn(async |ctx: Context| {
        let why = ctx.done().await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        WORK.lock().unwrap().push(why.reason());
        Ok(())
    });
    bare(ws).await
}

/// Says again what comes through a tunnel, until the context of the tunnel ends. One to `bare`
/// knows no context.
async fn tunnel(upgrade: Upgrade, request: Request) -> StatusCode {
    assert_eq!(request.method(), Method::CONNECT);
    let is_bare = request.uri().host() == Some("bare");
    let upgraded = hyper::upgrade::on(request);
    if is_bare {
        tokio::spawn(async move {
            let (mut read, mut write) = tokio::io::split(TokioIo::new(upgraded.await.unwrap()));
            drop(tokio::io::copy(&mut read, &mut write).await);
        });
        return StatusCode::OK;
    }
    tokio::spawn(upgrade.run(async move |ctx| {
        let (mut read, mut write) = tokio::io::split(TokioIo::new(upgraded.await.unwrap()));
        drop(ctx.run(tokio::io::copy(&mut read, &mut write)).await);
        write.write_all(b"goodbye").await.unwrap();
        write.shutdown().await.unwrap();
    }));
    StatusCode::OK
}

fn chat(
    upgrade: Upgrade,
    ws: WebSocketUpgrade,
    ended: UnboundedSender<(Option<u32>, Cancelled)>,
) -> Response {
    let echo = async move |ctx: Context, mut socket: WebSocket| {
        let why = loop {
            match ctx.run(socket.recv()).await {
                Ok(Some(Ok(message @ Message::Text(_)))) => socket.send(message).await.unwrap(),
                Ok(_) => return,
                Err(why) => break why,
            }
        };
        drop(socket.send(Message::Close(None)).await);
        ended.send((ctx.value::<Shop>().copied(), why)).unwrap();
    };
    ws.on_upgrade(|socket| upgrade.run(async move |ctx| echo(ctx, socket).await))
}

async fn bare(ws: WebSocketUpgrade) -> Response {
    ws.on_upgrade(async |mut socket| {
        while let Some(Ok(message)) = socket.recv().await {
            drop(socket.send(message).await);
        }
    })
}

async fn shake_hands(address: SocketAddr, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = HANDSHAKE.replace("/chat", path);
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(within(stream.read_u8()).await.unwrap());
    }
    assert!(
        answer.starts_with(b"HTTP/1.1 101 "),
        "{}",
        answer.escape_ascii()
    );
    stream
}

async fn echoes(stream: &mut TcpStream, text: &str) {
    stream.write_all(&frame(text)).await.unwrap();
    let mut echo = vec![0; 2 + text.len()];
    within(stream.read_exact(&mut echo)).await.unwrap();
    assert_eq!(&echo[2..], text.as_bytes());
}

#[tokio::test]
async fn a_websocket_outlives_its_request_and_is_joined_at_shutdown() {
    let mut chats = chats(ServeOptions::new()).await;
    let mut stream = shake_hands(chats.address, "/chat").await;
    echoes(&mut stream, "one").await;
    let request = within(chats.requests.recv()).await.unwrap();
    assert_eq!(request, (Some(101), Reason::RequestFinished));
    tokio::time::sleep(Duration::from_millis(150)).await; // past the request's own deadline
    echoes(&mut stream, "two").await;

    let asked = Instant::now();
    chats.stop.cancel_with("enough");
    let (shop, why) = within(chats.ends.recv()).await.unwrap();
    assert_eq!((shop, why.reason()), (Some(7), Reason::Cancelled));
    assert!(why.to_string().contains("enough"), "{why}");
    let mut goodbye = [0; 2];
    within(stream.read_exact(&mut goodbye)).await.unwrap();
    assert_eq!(goodbye, CLOSE);
    let report = within(chats.serving).await.unwrap();
    assert!(report.is_clean(), "{report}");
    assert!(asked.elapsed() < Duration::from_secs(5), "{report}");
}

#[tokio::test]
async fn a_websocket_over_http2_is_served_as_well() {
    let mut chats = chats(ServeOptions::new()).await;
    let stream = TcpStream::connect(chats.address).await.unwrap();
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let mut client = client.ready().await.unwrap();
    eventually("the settings of the server come", || {
        client.is_extended_connect_protocol_enabled()
    })
    .await;
    let connect = http::Request::connect("http://test/chat")
        .header("sec-websocket-version", "13")
        .header("x-shop", "8")
        .extension(h2::ext::Protocol::from_static("websocket"))
        .body(())
        .unwrap();
    let (answer, mut request) = client.send_request(connect, false).unwrap();
    let response = within(answer).await.unwrap();
    assert_eq!(response.status(), 200);
    let mut body = response.into_body();
    request
        .send_data(Bytes::from(frame("hello")), false)
        .unwrap();
    let echo = within(body.data()).await.unwrap().unwrap();
    assert_eq!(&echo[2..], b"hello");
    let over = within(chats.requests.recv()).await.unwrap();
    assert_eq!(over, (Some(200), Reason::RequestFinished));

    chats.stop.cancel();
    let (shop, why) = within(chats.ends.recv()).await.unwrap();
    assert_eq!((shop, why.reason()), (Some(8), Reason::Cancelled));
    let report = within(chats.serving).await.unwrap();
    assert!(report.is_clean(), "{report}");
}

#[tokio::test]
async fn a_socket_of_somebody_who_knows_no_context_fails_when_the_drain_is_over() {
    for is_tunnel in [false, true] {
        let options = ServeOptions::new().drain(Duration::from_millis(100));
        let chats = chats(options).await;
        let mut stream = match is_tunnel {
            true => dig(chats.address, "bare").await,
            false => {
                let mut stream = shake_hands(chats.address, "/bare").await;
                echoes(&mut stream, "hello").await;
                stream
            }
        };
        chats.stop.cancel();
        let report = within(chats.serving).await.unwrap();
        assert!(report.is_clean(), "{report}");
        assert!(report.took() >= Duration::from_millis(100), "{report}");
        assert!(report.took() < Duration::from_secs(5), "{report}");
        assert_eq!(within(stream.read_u8()).await.ok(), None);
    }
}

/// A tunnel through which something has come back: CONNECT, as a client of a proxy sends it.
async fn dig(address: SocketAddr, host: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let connect = format!("CONNECT {host}:443 HTTP/1.1\r\nhost: {host}:443\r\n\r\n");
    stream.write_all(connect.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(within(stream.read_u8()).await.unwrap());
    }
    assert!(answer.starts_with(b"HTTP/1.1 200 "));
    stream.write_all(b"hello").await.unwrap();
    let mut echo = [0; 5];
    within(stream.read_exact(&mut echo)).await.unwrap();
    assert_eq!(&echo, b"hello");
    stream
}

#[tokio::test]
async fn a_tunnel_outlives_its_request_and_is_joined_at_shutdown() {
    let mut chats = chats(ServeOptions::new()).await;
    let mut stream = dig(chats.address, "test").await;
    let request = within(chats.requests.recv()).await.unwrap();
    assert_eq!(request, (Some(200), Reason::RequestFinished));

    chats.stop.cancel();
    let mut rest = String::new();
    within(stream.read_to_string(&mut rest)).await.unwrap();
    assert_eq!(rest, "goodbye");
    let report = within(chats.serving).await.unwrap();
    assert!(report.is_clean(), "{report}");
}

/// What follows an upgrade needs the answer first, so that waits for no task.
#[tokio::test]
async fn tasks_of_an_upgraded_request_are_asked_to_stop_and_joined_by_the_server() {
    let chats = chats(ServeOptions::new().drain(Duration::ZERO)).await;
    let mut stream = shake_hands(chats.address, "/scoped").await;
    echoes(&mut stream, "hello").await;
    chats.stop.cancel();
    let report = within(chats.serving).await.unwrap();
    assert!(report.is_clean(), "{report}");
    let work = WORK.lock().unwrap();
    assert_eq!(work[..], [Reason::RequestFinished], "it was joined");
}
