//! What our own server does for its clients, and to those that keep it waiting.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::{get, post};
use bytes::Bytes;
use spawn_scoped::Spawner;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::unbounded_channel;
use tokio::task::JoinHandle;
use tokio_ctx_core::{CancelGuard, Cancelled, Context, Reason};
use tokio_ctx_tower::ContextLayer;
use tokio_ctx_tower::serve::{ServeOptions, ServeReport};

use crate::stage::{H2, ask, send, within};

struct Server {
    address: SocketAddr,
    stop: CancelGuard,
    serving: JoinHandle<ServeReport>,
}

impl Server {
    async fn start(
        options: ServeOptions,
        app: impl FnOnce(&Spawner) -> Router + Send + 'static,
    ) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = Context::background().with_cancel();
        let ctx = stop.clone();
        let serving = tokio::spawn(async move { options.serve(&ctx, listener, app).await });
        Server {
            address,
            stop,
            serving,
        }
    }

    async fn simple(options: ServeOptions) -> Server {
        Server::start(options, |_| {
            Router::new()
                .route("/", get(async || "hello"))
                .route("/length", post(async |body: Bytes| body.len().to_string()))
                .route("/large", get(async || vec![b'.'; 64 << 20]))
        })
        .await
    }

    async fn stop(self) -> ServeReport {
        self.stop.cancel();
        within(self.serving).await.unwrap()
    }
}

/// How long the server leaves this connection open.
async fn closes_after(mut stream: TcpStream) -> Duration {
    let started = Instant::now();
    let mut rest = Vec::new();
    drop(within(stream.read_to_end(&mut rest)).await);
    started.elapsed()
}

const LIMIT: Duration = Duration::from_millis(200);
const SOON: Duration = Duration::from_secs(5);

#[tokio::test]
async fn handlers_learn_the_address_of_their_peer() {
    let server = Server::start(ServeOptions::new(), |_| {
        let peer = async |ConnectInfo(peer): ConnectInfo<SocketAddr>| peer.to_string();
        Router::new().route("/", get(peer))
    })
    .await;
    let client = send(server.address, "GET /", &[]).await;
    let ours = client.local_addr().unwrap();
    assert_eq!(crate::stage::answer(client).await.body, ours.to_string());
    server.stop().await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_unix_socket_is_served_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let stop = Context::background().with_cancel();
    let peer = async |ConnectInfo(peer): ConnectInfo<tokio::net::unix::SocketAddr>| {
        format!("unnamed: {}", peer.is_unnamed())
    };
    let app = Router::new().route("/", get(peer));
    let client = async {
        let mut stream = tokio::net::UnixStream::connect(&path).await.unwrap();
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        stop.cancel();
        text
    };
    let serving = ServeOptions::new().serve(&stop, listener, |_| app);
    let (report, text) = within(async { tokio::join!(serving, client) }).await;
    assert!(text.ends_with("unnamed: true"), "{text}");
    assert!(report.is_clean(), "{report}");
}

#[tokio::test]
async fn a_panic_costs_its_own_connection_stream_or_job() {
    let server = Server::start(ServeOptions::new(), |server| {
        let jobs = server.clone();
        let job = async move || {
            drop(jobs.isolated(async |_ctx| panic!("a bug in a job") as ()));
            drop(jobs.isolated(async |_ctx| Err::<(), _>("a job that fails")));
            "accepted"
        };
        Router::new()
            .route("/", get(async || "hello"))
            .route("/panic", get(async || panic!("a bug") as &'static str))
            .route("/job", get(job))
    })
    .await;
    let mut h2 = H2::connect(server.address).await;
    assert_eq!(ask(server.address, "GET /job", &[]).await.body, "accepted");
    let mut broken = send(server.address, "GET /panic", &[]).await;
    assert_eq!(within(broken.read_u8()).await.ok(), None);
    let (streamed, _) = h2.send("/panic", &[]).await;
    assert!(within(streamed).await.is_err());
    assert_eq!(h2.ask("/", &[]).await.0, 200, "its connection lives");
    assert_eq!(ask(server.address, "GET /", &[]).await.body, "hello");
    let report = server.stop().await;
    assert!(report.is_clean(), "{report}");
}

/// Accepts one connection, and panics when it is asked for another.
struct Once(TcpListener, bool);

impl axum::serve::Listener for Once {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        assert!(!std::mem::replace(&mut self.1, true), "a bug in a listener");
        self.0.accept().await.unwrap()
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

#[tokio::test]
async fn the_panic_of_a_listener_closes_its_connections_and_is_resumed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move {
        let ctx = Context::background();
        let app = |_: &Spawner| Router::new().route("/", get(async || "hello"));
        // What closes them is not that they are cut off.
        let options = ServeOptions::new().grace(Duration::from_secs(600));
        options.serve(&ctx, Once(listener, false), app).await
    });
    let idle = TcpStream::connect(address).await.unwrap();
    let end = within(serving).await.unwrap_err();
    assert!(end.is_panic(), "{end:?}");
    assert!(closes_after(idle).await < SOON);
}

#[tokio::test]
async fn a_client_that_does_not_send_its_head_is_closed() {
    let server = Server::simple(ServeOptions::new().head_timeout(LIMIT)).await;
    let silent = TcpStream::connect(server.address).await.unwrap();
    let mut half = TcpStream::connect(server.address).await.unwrap();
    half.write_all(b"GET / HTT").await.unwrap();
    let (silent, half) = tokio::join!(closes_after(silent), closes_after(half));
    for took in [silent, half] {
        assert!(LIMIT - LIMIT / 4 <= took && took < SOON, "{took:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn an_idle_connection_is_closed_and_a_busy_one_is_not() {
    let options = ServeOptions::new().idle_timeout(LIMIT);
    let slow = async |request: axum::extract::Request| {
        drop(request);
        tokio::time::sleep(3 * LIMIT).await;
        "slow"
    };
    let server = Server::start(options, move |_| Router::new().route("/", get(slow))).await;
    let mut kept = TcpStream::connect(server.address).await.unwrap();
    let request = b"GET / HTTP/1.1\r\nhost: test\r\n\r\n";
    let started = Instant::now();
    kept.write_all(request).await.unwrap();
    let mut first = vec![];
    while !first.ends_with(b"slow") {
        first.push(within(kept.read_u8()).await.expect("it is not cut"));
    }
    assert!(started.elapsed() >= 3 * LIMIT);
    let mut h2 = H2::connect(server.address).await;
    assert_eq!(h2.ask("/", &[]).await.0, 200);
    let took = closes_after(kept).await;
    assert!(took < 3 * LIMIT + SOON, "{took:?}");
    within(h2.connection).await.unwrap().unwrap();
    server.stop().await;
}

#[tokio::test]
async fn an_upload_that_stalls_fails_its_handler() {
    let server = Server::simple(ServeOptions::new().body_timeout(LIMIT)).await;
    let started = Instant::now();
    let mut stalled = send(server.address, "POST /length", &[("content-length", "5")]).await;
    stalled.write_all(b"123").await.unwrap();
    let answer = crate::stage::answer(stalled).await;
    assert_eq!(answer.status, 400, "{answer:?}");
    assert!(started.elapsed() < SOON);
    server.stop().await;
}

#[tokio::test]
async fn a_reader_who_does_not_read_is_closed() {
    let server = Server::simple(ServeOptions::new().write_timeout(LIMIT)).await;
    let unread = send(server.address, "GET /large", &[]).await;
    tokio::time::sleep(3 * LIMIT).await;
    let mut text = Vec::new();
    let mut unread = unread;
    drop(within(unread.read_to_end(&mut text)).await);
    assert!(text.len() < 64 << 20, "all of it came");
    server.stop().await;
}

#[tokio::test]
async fn an_old_connection_finishes_its_request_and_is_closed() {
    let options = ServeOptions::new().max_connection_age(LIMIT);
    let server = Server::start(options, |_| {
        let slow = async || {
            tokio::time::sleep(3 * LIMIT).await;
            "slow"
        };
        Router::new().route("/", get(slow))
    })
    .await;
    let mut kept = TcpStream::connect(server.address).await.unwrap();
    let request = b"GET / HTTP/1.1\r\nhost: test\r\n\r\n";
    kept.write_all(request).await.unwrap();
    let mut text = String::new();
    within(kept.read_to_string(&mut text)).await.unwrap();
    assert!(text.ends_with("slow"), "{text}");
    assert!(text.contains("connection: close"), "{text}");
    server.stop().await;
}

#[tokio::test]
async fn a_peer_that_answers_no_ping_is_closed() {
    let server = Server::simple(ServeOptions::new().http2_pings((LIMIT, LIMIT))).await;
    let mut dead = TcpStream::connect(server.address).await.unwrap();
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    dead.write_all(preface).await.unwrap();
    let took = closes_after(dead).await;
    assert!(2 * LIMIT - LIMIT / 4 <= took && took < SOON, "{took:?}");
    server.stop().await;
}

#[tokio::test]
async fn a_time_limit_outside_of_the_layer_is_no_hang_up() {
    let (ended, mut ends) = unbounded_channel();
    let server = Server::start(ServeOptions::new(), |server| {
        let hang = async move |ctx: Context| {
            let ended = ended.clone();
            ctx.on_cancel(move |why| drop(ended.send(why.clone())))
                .disarm();
            std::future::pending::<()>().await;
        };
        let limit = axum::middleware::from_fn(
            async |request: axum::extract::Request, next: axum::middleware::Next| {
                let answered = tokio::time::timeout(LIMIT, next.run(request)).await;
                answered.unwrap_or_else(|_| {
                    let mut late = axum::response::Response::default();
                    *late.status_mut() = http::StatusCode::REQUEST_TIMEOUT;
                    late
                })
            },
        );
        Router::new()
            .route("/", get(hang))
            .layer(ContextLayer::new(server.context()))
            .layer(limit)
    })
    .await;
    assert_eq!(ask(server.address, "GET /", &[]).await.status, 408);
    let why: Cancelled = within(ends.recv()).await.unwrap();
    assert_eq!(why.reason(), Reason::RequestFinished, "{why}");
    assert!(why.to_string().contains("answered first"), "{why}");

    let client = send(server.address, "GET /", &[]).await;
    tokio::time::sleep(LIMIT / 4).await;
    drop(client);
    let why: Cancelled = within(ends.recv()).await.unwrap();
    assert_eq!(why.reason(), Reason::CallerGone, "{why}");
    server.stop().await;
}
