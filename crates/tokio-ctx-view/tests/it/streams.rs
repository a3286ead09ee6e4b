//! Answers that go on.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::body::Body;
use http_body_util::BodyExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_ctx::tower::serve::{ServeOptions, ServeReport};
use tokio_ctx::view::View;
use tokio_ctx::{CancelGuard, Cancelled, Context, Spawner};
use tower::ServiceExt as _;

use crate::stage::{Open, TURN, mount};

#[tokio::test]
async fn watch_goes_on_until_the_view_s_context_ends() {
    let _turn = TURN.lock().await;
    let server = Context::background().with_cancel();
    let at = mount(View::new(&server)).await;
    let mut watch = Open::get(at, "?watch").await;
    watch.until("SCOPES AND TASKS", 2).await;
    server.cancel_with("the server stops");
    watch.until("\r\n0\r\n\r\n", 1).await;
}

#[tokio::test]
async fn events_carry_one_json_report_each() {
    let _turn = TURN.lock().await;
    let server = Context::background().with_cancel();
    let at = mount(View::new(&server)).await;
    let mut events = Open::get(at, "?events").await;
    events.until("\n\n", 2).await;
    assert!(events.text.contains("content-type: text/event-stream"));
    let event = events.text.split("data: ").nth(1).unwrap();
    let json = event.lines().next().unwrap();
    let report: serde_json::Value = serde_json::from_str(json).unwrap();
    assert_eq!(report["num_tasks"], 0);
}

#[tokio::test]
async fn a_view_whose_context_has_ended_streams_nothing() {
    let _turn = TURN.lock().await;
    let server = Context::background().with_cancel();
    server.cancel();
    let at = mount(View::new(&server)).await;
    let mut watch = Open::get(at, "?watch").await;
    watch.until("\r\n0\r\n\r\n", 1).await;
    assert!(!watch.text.contains("SCOPES"), "{}", watch.text);
}

/// A view of many tasks with long names, so that a few snapshots fill what sockets buffer.
struct Large {
    at: SocketAddr,
    stop: CancelGuard,
    server: Spawner,
    /// The snapshots that were handed to connections, by viewer.
    sent: Arc<[AtomicUsize]>,
    serving: JoinHandle<ServeReport>,
}

const VIEWERS: usize = 5;

/// Looks again and again, for at most so many `seconds`.
async fn eventually(seconds: u64, what: &str, is_so: impl Fn() -> bool) {
    let started = Instant::now();
    while !is_so() {
        let is_late = started.elapsed() >= Duration::from_secs(seconds);
        assert!(!is_late, "not in {seconds} s: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Viewers name themselves in the path: one digit.
async fn large(options: ServeOptions) -> Large {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let at = listener.local_addr().unwrap();
    let stop = Context::background().with_cancel();
    let ctx = Context::clone(&stop);
    let sent: Arc<[AtomicUsize]> = (0..VIEWERS).map(|_| AtomicUsize::new(0)).collect();
    let counts = sent.clone();
    let (send_server, server) = tokio::sync::oneshot::channel();
    let serving = tokio::spawn(async move {
        let served = options.serve(&ctx, listener, |server| {
            drop(send_server.send(server.clone()));
            let view = View::new(server.context()).max_tasks(1_000);
            tower::service_fn(move |request: axum::extract::Request| {
                let (view, counts) = (view.clone(), counts.clone());
                let viewer: usize = request.uri().path()[1..].parse().unwrap();
                async move {
                    let response = view.oneshot(request).await?;
                    Ok(response.map(|body| {
                        Body::new(body.map_frame(move |frame| {
                            counts[viewer].fetch_add(1, Ordering::Relaxed);
                            frame
                        }))
                    }))
                }
            })
        });
        served.await
    });
    Large {
        at,
        stop,
        server: server.await.unwrap(),
        sent,
        serving,
    }
}

impl Large {
    /// A viewer who has asked, and reads nothing.
    async fn viewer(&self, number: usize, query: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.at).await.unwrap();
        let request = format!("GET /{number}?{query} HTTP/1.1\r\nhost: localhost\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }

    async fn has_connections(&self, count: usize) {
        let is_so = || self.server.unfinished().len() == count;
        eventually(20, &format!("{count} connections"), is_so).await;
    }

    fn sent(&self, viewer: usize) -> usize {
        self.sent[viewer].load(Ordering::Relaxed)
    }

    async fn stop(self) {
        self.stop.cancel();
        let report = self.serving.await.unwrap();
        assert!(report.is_clean(), "{report}");
    }
}

/// A thousand tasks with names of two thousand letters.
fn tasks(ctx: &Context) -> JoinHandle<Result<(), Cancelled>> {
    let ctx = ctx.clone();
    tokio::spawn(async move {
        let many = tokio_ctx::scope(&ctx, async |s| {
            for _ in 0..1_000 {
                let name = "x".repeat(2_000);
                let task = s.task().name(name);
                task.spawn(async |ctx: Context| drop(ctx.done().await));
            }
            Ok(())
        });
        many.await
    })
}

#[tokio::test]
async fn a_viewer_who_never_reads_is_sent_no_more_and_holds_up_nobody() {
    let _turn = TURN.lock().await;
    let ctx = Context::background().with_cancel();
    let tasks = tasks(&ctx);
    let view = large(ServeOptions::new().write_timeout(None)).await;
    let mut stuck = Vec::new();
    for (number, query) in ["watch", "events", "watch", "events"].iter().enumerate() {
        stuck.push(view.viewer(number, query).await);
    }
    // One who reads, until so many snapshots have come that the others can hold no more.
    let mut reads = view.viewer(4, "watch").await;
    let reading = tokio::spawn(async move {
        let mut sink = tokio::io::sink();
        tokio::io::copy(&mut reads, &mut sink).await
    });
    eventually(60, "twelve snapshots", || view.sent(4) >= 12).await;
    for number in 0..4 {
        assert!(view.sent(number) < 9, "{number}: {}", view.sent(number));
    }
    // Each is a connection, and a closed one leaves nothing behind.
    view.has_connections(VIEWERS).await;
    drop(stuck);
    view.has_connections(1).await;
    reading.abort();
    view.has_connections(0).await;
    view.stop().await;
    ctx.cancel();
    tasks.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_viewer_who_never_reads_is_closed_by_the_server_s_limit() {
    let _turn = TURN.lock().await;
    let ctx = Context::background().with_cancel();
    let tasks = tasks(&ctx);
    let options = ServeOptions::new().write_timeout(Duration::from_millis(300));
    let view = large(options).await;
    let stuck = (
        view.viewer(0, "watch").await,
        view.viewer(1, "events").await,
    );
    eventually(20, "a snapshot for each", || {
        view.sent(0) > 0 && view.sent(1) > 0
    })
    .await;
    view.has_connections(0).await;
    view.stop().await;
    drop(stuck);
    ctx.cancel();
    tasks.await.unwrap().unwrap();
}
