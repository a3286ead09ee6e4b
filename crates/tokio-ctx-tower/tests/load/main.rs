//! Ten thousand requests from a second process, a third of them hung up, and a thousand
//! hang-ups against the clock.
//!
//! A program of its own, which starts itself as its client.

mod client;

use std::alloc::System;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use http::HeaderName;
use spawn_scoped::scope;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinHandle;
use tokio_ctx_core::{CancelGuard, Cancelled, Context, Reason, key};
use tokio_ctx_tower::headers::HeaderKey;
use tokio_ctx_tower::serve::{ServeReport, serve};
use tokio_ctx_tower::{ContextError, ContextLayer};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// In two rounds, so that the second can be compared to the first.
const REQUESTS: u64 = 10_000;

/// What caches and free lists may have grown by between the two rounds. A leak of one context
/// in each request would be more than ten times that.
const SLACK: i64 = 128 * 1024;

const HANG_UPS: usize = 1_000;

/// How long work may go on after its client went away.
const BOUND: Duration = Duration::from_millis(50);

/// What else runs on the machine can only add to what is measured, so one round out of three
/// has to be good.
const ROUNDS: usize = 3;

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(30);

/// The contexts that carry a probe and are still there.
static LIVE_CONTEXTS: AtomicI64 = AtomicI64::new(0);

/// The tasks of handlers that are still running.
static LIVE_TASKS: AtomicI64 = AtomicI64::new(0);

static STARTED_TASKS: AtomicU64 = AtomicU64::new(0);

/// Counts itself in one of the two.
struct Live(&'static AtomicI64);

impl Live {
    fn new(count: &'static AtomicI64) -> Live {
        count.fetch_add(1, Ordering::Relaxed);
        Live(count)
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

key! { Probe: Live }

impl HeaderKey for Probe {
    const HEADER: HeaderName = HeaderName::from_static("x-probe");

    fn decode(_: &str) -> Option<Live> {
        Some(Live::new(&LIVE_CONTEXTS))
    }

    fn encode(_: &Live) -> Option<String> {
        None
    }
}

/// A request in which two tasks each take a while.
async fn work(ctx: Context) -> Result<&'static str, ContextError> {
    scope(&ctx, async |s| {
        for time in [1, 3] {
            s.spawn(async move |ctx| {
                let _live = Live::new(&LIVE_TASKS);
                STARTED_TASKS.fetch_add(1, Ordering::Relaxed);
                ctx.run(tokio::time::sleep(Duration::from_millis(time)))
                    .await
            });
        }
        Ok::<_, Cancelled>(())
    })
    .await?;
    Ok("done")
}

struct Server {
    address: SocketAddr,
    layer: ContextLayer,
    stop: CancelGuard,
    stopped: UnboundedReceiver<Option<(Reason, Instant)>>,
    serving: JoinHandle<ServeReport>,
}

impl Server {
    async fn start() -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = Context::background().with_cancel();
        let ctx = stop.clone();
        let (send_layer, layer) = tokio::sync::oneshot::channel();
        let (events, stopped) = unbounded_channel();
        // Waits in a task of the request, until its context ends.
        let hang = async move |ctx: Context| {
            let events = events.clone();
            let _told = events.send(None);
            let hung = scope(&ctx, async |s| {
                s.spawn(async move |ctx| {
                    let why = ctx.done().await;
                    let _told = events.send(Some((why.reason(), Instant::now())));
                    Err::<(), _>(why)
                })
                .await
            });
            hung.await.map_err(ContextError::from)
        };
        let serving = tokio::spawn(async move {
            let serving = serve(&ctx, listener, |server| {
                let layer = ContextLayer::new(server.context())
                    .key::<Probe>()
                    .max_timeout(Duration::from_secs(60));
                drop(send_layer.send(layer.clone()));
                Router::new()
                    .route("/work", get(work))
                    .route("/hang", get(hang))
                    .layer(layer)
            });
            serving.await
        });
        Server {
            address,
            layer: layer.await.unwrap(),
            stop,
            stopped,
            serving,
        }
    }

    async fn shut_down(self) {
        self.stop.cancel();
        let report = tokio::time::timeout(LONG, self.serving)
            .await
            .unwrap()
            .unwrap();
        assert!(report.stragglers().is_empty(), "{report:?}");
    }
}

fn live_bytes() -> i64 {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated as i64 - stats.bytes_deallocated as i64
}

/// Waits until nothing of any request is left.
async fn at_rest(server: &Server, tasks: usize) {
    let started = Instant::now();
    loop {
        let live = (
            server.layer.live_requests(),
            LIVE_CONTEXTS.load(Ordering::Relaxed),
            LIVE_TASKS.load(Ordering::Relaxed),
            Handle::current().metrics().num_alive_tasks(),
        );
        if live == (0, 0, 0, tasks) {
            return;
        }
        assert!(
            started.elapsed() < LONG,
            "requests, contexts, tasks, all tasks: {live:?}"
        );
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn ten_thousand_requests_leave_nothing_behind() {
    let server = Server::start().await;
    let tasks = Handle::current().metrics().num_alive_tasks();
    let mut at_rest_bytes = Vec::new();
    let (mut answered, mut hung_up) = (0, 0);
    for round in 0..3 {
        // The first is for caches to fill.
        let requests = if round == 0 {
            REQUESTS / 4
        } else {
            REQUESTS / 2
        };
        let address = server.address;
        let run = move || client::start(address, requests, round);
        let counts = tokio::task::spawn_blocking(run).await.unwrap();
        at_rest(&server, tasks).await;
        at_rest_bytes.push(live_bytes());
        if round > 0 {
            answered += counts.answered;
            hung_up += counts.hung_up;
        }
    }
    let grown = at_rest_bytes[2] - at_rest_bytes[1];
    println!(
        "{REQUESTS} requests from a second process: {answered} answered, {hung_up} hung up, \
         {} tasks; left: 0 requests, 0 contexts, 0 tasks; memory {} KiB, then {} KiB",
        STARTED_TASKS.load(Ordering::Relaxed),
        at_rest_bytes[1] / 1024,
        at_rest_bytes[2] / 1024,
    );
    assert_eq!(answered + hung_up, REQUESTS);
    assert!(hung_up > REQUESTS / 4, "too few were hung up: {hung_up}");
    assert!(grown < SLACK, "memory grew by {grown} bytes");
    server.shut_down().await;
}

async fn work_stops_soon_after_the_hang_up() {
    let mut server = Server::start().await;
    let mut good = false;
    for _ in 0..ROUNDS {
        let mut took = Vec::with_capacity(HANG_UPS);
        for number in 0..HANG_UPS {
            let call = client::Call::start(server.address, "/hang", number % 2 == 1).await;
            assert_eq!(
                server.stopped.recv().await,
                Some(None),
                "the handler started"
            );
            let hung_up = Instant::now();
            call.hang_up();
            let stopped = tokio::time::timeout(LONG, server.stopped.recv())
                .await
                .unwrap();
            let Some(Some((Reason::CallerGone, at))) = stopped else {
                panic!("hang-up {number}: {stopped:?}");
            };
            took.push(at.duration_since(hung_up));
        }
        took.sort();
        let at = |part: f64| took[((HANG_UPS - 1) as f64 * part) as usize];
        println!(
            "{HANG_UPS} hang-ups: work stopped after {:?} (median), {:?} (p99), {:?} (longest)",
            at(0.5),
            at(0.99),
            at(1.0),
        );
        good = at(0.99) <= BOUND;
        if good {
            break;
        }
    }
    assert!(good, "the p99 was above {BOUND:?} in {ROUNDS} rounds");
    server.shut_down().await;
}

fn main() -> ExitCode {
    if client::is_asked_for() {
        return client::main();
    }
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(async {
            work_stops_soon_after_the_hang_up().await;
            ten_thousand_requests_leave_nothing_behind().await;
        });
    ExitCode::SUCCESS
}
