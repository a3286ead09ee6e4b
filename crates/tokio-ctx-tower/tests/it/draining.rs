//! What a server that is asked to stop does to good requests, and to slow clients.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::{get, post};
use bytes::Bytes;
use spawn_scoped::{ScopeOptions, Spawner, scope};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::unbounded_channel;
use tokio::task::JoinHandle;
use tokio_ctx_core::{CancelGuard, Cancelled, Context};
use tokio_ctx_tower::serve::{ServeOptions, ServeReport};
use tokio_ctx_tower::{ContextError, ContextLayer};

use crate::stage::{Answer, H2, answer, eventually, send, within};

/// A good request: it takes a while, and looks at its context.
async fn good(ctx: Context) -> Result<&'static str, ContextError> {
    ctx.run(tokio::time::sleep(Duration::from_millis(600)))
        .await?;
    Ok("good")
}

fn app(server: &Context) -> (Router, ContextLayer) {
    let layer = ContextLayer::new(server);
    let app = Router::new()
        .route("/good", get(async |ctx: Context| good(ctx).await))
        .route("/length", post(async |body: Bytes| body.len().to_string()))
        .route("/large", get(async || vec![b'.'; 64 << 20]))
        .layer(layer.clone());
    (app, layer)
}

struct Server {
    address: SocketAddr,
    stop: CancelGuard,
    layer: ContextLayer,
    serving: JoinHandle<ServeReport>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum By {
    Ourselves,
    Axum,
}

async fn start(by: By, options: ServeOptions) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = Context::background().with_cancel();
    let ctx = stop.clone();
    let (send_layer, layer) = tokio::sync::oneshot::channel();
    let app = move |server: &Spawner| {
        let (app, layer) = app(server.context());
        drop(send_layer.send(layer));
        app
    };
    let serving = match by {
        By::Ourselves => tokio::spawn(async move { options.serve(&ctx, listener, app).await }),
        By::Axum => tokio::spawn(async move {
            let served = options.run(&ctx, move |server, stop| {
                axum::serve(listener, app(server)).with_graceful_shutdown(stop)
            });
            served.await.unwrap()
        }),
    };
    Server {
        address,
        stop,
        layer: layer.await.unwrap(),
        serving,
    }
}

impl Server {
    async fn are_live(&self, requests: u64) {
        eventually("the requests are there", || {
            self.layer.live_requests() == requests
        })
        .await;
    }

    async fn stop(self) -> ServeReport {
        self.stop.cancel();
        within(self.serving).await.unwrap()
    }
}

fn is_good(answer: &Answer) -> bool {
    (answer.status, &*answer.body) == (200, "good")
}

#[tokio::test]
async fn good_requests_finish_after_the_server_was_asked_to_stop() {
    for by in [By::Ourselves, By::Axum] {
        let server = start(by, ServeOptions::new()).await;
        let mut clients = Vec::new();
        for _ in 0..5 {
            clients.push(send(server.address, "GET /good", &[]).await);
        }
        let mut h2 = H2::connect(server.address).await;
        let (streamed, _) = h2.send("/good", &[]).await;
        server.are_live(6).await;
        let report = server.stop().await;
        for client in clients {
            let answer = answer(client).await;
            assert!(is_good(&answer), "{by:?}: {answer:?}");
        }
        assert_eq!(within(streamed).await.unwrap().status(), 200, "{by:?}");
        assert!(report.is_clean(), "{by:?}: {report}");
        assert!(report.took() < Duration::from_secs(5), "{by:?}: {report}");
        // Nobody counts the connections of another server.
        let counts = report.to_string().contains("served 6 connections");
        let says = report.to_string().contains("served");
        assert_eq!((counts, says), (by == By::Ourselves, by == By::Ourselves));
    }
}

#[tokio::test]
async fn slow_clients_cost_their_own_requests_and_no_others() {
    let options = ServeOptions::new()
        .drain(Duration::from_millis(900))
        .grace(Duration::from_millis(200));
    let server = start(By::Ourselves, options).await;
    let address = server.address;
    let mut half_a_head = TcpStream::connect(address).await.unwrap();
    half_a_head.write_all(b"GET /good HTT").await.unwrap();
    let silent = TcpStream::connect(address).await.unwrap();
    let mut kept = TcpStream::connect(address).await.unwrap();
    let once = "POST /length HTTP/1.1\r\nhost: test\r\ncontent-length: 1\r\n\r\n1";
    kept.write_all(once.as_bytes()).await.unwrap();
    kept.read_u8().await.unwrap();
    let stalled = send(address, "POST /length", &[("content-length", "5")]).await;
    let unread = send(address, "GET /large", &[]).await;
    let mut unresponsive = TcpStream::connect(address).await.unwrap();
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    unresponsive.write_all(preface).await.unwrap();
    let good = send(address, "GET /good", &[]).await;
    // The large response has been handed to its connection.
    server.are_live(2).await;

    let started = Instant::now();
    let (answer, report) = tokio::join!(answer(good), server.stop());
    assert!(is_good(&answer), "{answer:?}");
    assert_eq!(report.requests_cut(), 1, "{report}");
    assert_eq!(report.aborted().len(), 2, "{report}");
    assert!(started.elapsed() < Duration::from_secs(5), "{report}");
    assert_eq!(report.num_connections(), 7);
    drop((half_a_head, silent, kept, stalled, unread, unresponsive));
}

#[tokio::test]
async fn a_request_on_its_way_when_the_server_is_asked_to_stop_is_answered() {
    let server = start(By::Ourselves, ServeOptions::new()).await;
    let mut kept = TcpStream::connect(server.address).await.unwrap();
    let head = "POST /length HTTP/1.1\r\nhost: test\r\ncontent-length: 1\r\n\r\n";
    kept.write_all(format!("{head}1").as_bytes()).await.unwrap();
    let mut first = vec![0; 1];
    while first.last() != Some(&b'1') || !first.ends_with(b"\r\n\r\n1") {
        first.push(within(kept.read_u8()).await.unwrap());
    }
    // Half of the next head is there already: it is no idle connection.
    let (half, rest) = head.split_at(20);
    kept.write_all(half.as_bytes()).await.unwrap();
    let new = TcpStream::connect(server.address).await.unwrap();
    server.stop.cancel();
    tokio::time::sleep(Duration::from_millis(300)).await;
    kept.write_all(format!("{rest}12").as_bytes())
        .await
        .unwrap();
    let last = answer(kept).await;
    assert_eq!((last.status, &*last.body), (200, "1"), "{last:?}");
    assert!(last.head.contains("connection: close"), "{last:?}");
    let report = within(server.serving).await.unwrap();
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.num_connections(), 2);
    drop(new);
}

#[tokio::test]
async fn a_server_that_lingers_takes_new_connections_for_one_request_each() {
    let options = ServeOptions::new().linger(Duration::from_millis(500));
    let server = start(By::Ourselves, options).await;
    server.stop.cancel();
    let mut late = TcpStream::connect(server.address).await.unwrap();
    let head = "POST /length HTTP/1.1\r\nhost: test\r\ncontent-length: 1\r\n\r\n1";
    late.write_all(head.as_bytes()).await.unwrap();
    let last = answer(late).await;
    assert_eq!((last.status, &*last.body), (200, "1"));
    let report = within(server.serving).await.unwrap();
    assert!(report.is_clean(), "{report}");
    assert!(report.took() >= Duration::from_millis(500), "{report}");
    assert!(TcpStream::connect(server.address).await.is_err());
}

/// What a job of the server takes in ends with the server; what it has taken in has the drain.
#[tokio::test(start_paused = true)]
async fn a_job_of_the_server_takes_in_nothing_more_and_has_the_drain() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let ctx = Context::background().with_timeout(Duration::from_secs(10));
    let (tell, mut told) = unbounded_channel();
    let began = tokio::time::Instant::now();
    let served = ServeOptions::new().serve(&ctx, listener, |server| {
        let intake = server.clone();
        server.isolated(async move |ctx| {
            let next = intake.run(std::future::pending::<()>()).await;
            tell.send((next.is_err(), began.elapsed())).unwrap();
            let why = ctx.done().await;
            tell.send((why.is_timeout(), began.elapsed())).unwrap();
        });
        Router::new()
    });
    let report = served.await;
    assert!(report.is_clean(), "{report}");
    for (what, seconds) in [("the intake", 10), ("the job", 30)] {
        let (has_ended, at) = told.recv().await.unwrap();
        assert!(has_ended, "{what}");
        assert_eq!(at.as_secs(), seconds, "{what}");
    }
}

const DRAIN: Duration = Duration::from_secs(20);

/// A server with work that goes on until it is asked to stop.
async fn busy_server(ctx: Context) -> Result<(), Cancelled> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let options = ServeOptions::new().drain(DRAIN);
    let served = options.serve(&ctx, listener, |server| {
        server.isolated(async |ctx| drop(ctx.done().await));
        Router::new()
    });
    assert!(served.await.is_clean());
    Ok(())
}

/// A worker with a job that goes on until it is asked to stop.
async fn busy_worker(ctx: Context) -> Result<(), Cancelled> {
    let options = ScopeOptions::new().drain(DRAIN);
    let worked = options.run(&ctx, async |s| {
        s.isolated(async |ctx| drop(ctx.done().await));
        Ok(())
    });
    worked.await
}

/// How long it takes the whole to end once its context has.
async fn takes(whole: impl AsyncFnOnce(&Context) -> Result<(), Cancelled>) -> u64 {
    let ctx = Context::background().with_cancel();
    let stop = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        ctx.cancel();
        tokio::time::Instant::now()
    };
    let (ended, asked) = tokio::join!(whole(&ctx), stop);
    ended.unwrap();
    asked.elapsed().as_secs()
}

/// What takes work in has the drain, and the scopes around it have none.
#[tokio::test(start_paused = true)]
async fn a_server_and_a_worker_drain_at_the_same_time() {
    let beside = takes(async |ctx| {
        let both = scope(ctx, async |s| {
            s.spawn(busy_server);
            s.spawn(busy_worker);
            Ok(())
        });
        both.await
    });
    assert_eq!(beside.await, 20);

    // A task of a scope that drains hears of the end only then.
    let around = takes(async |ctx| {
        let options = ScopeOptions::new().drain(DRAIN);
        let server = options.run(ctx, async |s| {
            s.spawn(busy_server);
            Ok(())
        });
        server.await
    });
    assert_eq!(around.await, 40);
}

#[tokio::test]
async fn what_a_server_of_another_crate_leaves_behind_is_in_the_report() {
    let options = ServeOptions::new()
        .drain(Duration::from_millis(50))
        .grace(Duration::from_millis(50));
    let server = start(By::Axum, options).await;
    let stalled = send(server.address, "POST /length", &[("content-length", "5")]).await;
    server.are_live(1).await;
    let report = server.stop().await;
    assert!(!report.is_clean());
    assert!(
        report.to_string().contains("did not end in time"),
        "{report}"
    );
    drop(stalled);
}
