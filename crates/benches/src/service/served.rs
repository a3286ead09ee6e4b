//! The services, in the process that serves one of them.

use std::io::{BufRead, Write};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::routing::get;
use axum::{Router, ServiceExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_ctx::tower::axum::around;
use tokio_ctx::tower::{ContextError, ContextLayer, serve as serve_ours};
use tokio_ctx::view::View;
use tokio_ctx::{Cancelled, Context, Spawner, scope};
use tokio_util::sync::CancellationToken;
use tower_layer::Layer as _;

use super::hello::{hello, layered};

const LIMIT: Duration = Duration::from_secs(30);
const TIMEOUT: HeaderName = HeaderName::from_static("x-timeout-ms");

/// The tasks that wait, and when the last one ended, in microseconds since the epoch.
static LIVE: AtomicI64 = AtomicI64::new(0);
static LAST_END: AtomicU64 = AtomicU64::new(0);

/// What it took a bystander to ask whether it is cancelled, at most.
static SLOWEST: AtomicU64 = AtomicU64::new(0);

struct Live;

impl Live {
    fn new() -> Live {
        LIVE.fetch_add(1, Ordering::Relaxed);
        Live
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.map_or(0, |now| now.as_micros() as u64);
        LAST_END.store(now, Ordering::Relaxed);
        LIVE.fetch_sub(1, Ordering::Release);
    }
}

/// Serves until its standard input is closed; the first line that it prints is its address.
pub(crate) fn serve(kind: &str) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
    println!("{}", listener.local_addr()?);
    let mut bystander: Option<Box<dyn FnMut() -> bool + Send>> = match kind {
        "ours" | "viewed" => {
            let is_viewed = kind == "viewed";
            let server = Context::background().with_cancel();
            let bystander = server.with_cancel();
            runtime.spawn(async move {
                let served = serve_ours(&server, listener, |server| {
                    let (layer, mut router) = ours(server.context());
                    if is_viewed {
                        router = router.route_service("/debug/ctx", View::new(server.context()));
                    }
                    layer.layer(router)
                });
                served.await
            });
            Some(Box::new(move || bystander.is_done()))
        }
        "hello" => {
            runtime.spawn(async move { axum::serve(listener, hello()).await });
            None
        }
        "layered" => {
            let service = ServiceExt::<Request>::into_make_service(layered());
            runtime.spawn(async move { axum::serve(listener, service).await });
            None
        }
        "served" => {
            let server = Context::background();
            runtime.spawn(async move {
                let app = |_: &Spawner| by_hand(CancellationToken::new());
                serve_ours(&server, listener, app).await
            });
            None
        }
        "under-layer" => {
            let (layer, _) = ours(&Context::background());
            let service = around(&layer, by_hand(CancellationToken::new()));
            let service = ServiceExt::<Request>::into_make_service(service);
            runtime.spawn(async move { axum::serve(listener, service).await });
            None
        }
        "scoped" | "unlimited" => {
            let router = scoped(kind == "scoped");
            runtime.spawn(async move { axum::serve(listener, router).await });
            None
        }
        _ => {
            let server = CancellationToken::new();
            let bystander = server.child_token();
            runtime.spawn(async move { axum::serve(listener, by_hand(server)).await });
            Some(Box::new(move || bystander.is_cancelled()))
        }
    };
    for line in std::io::stdin().lock().lines() {
        if line? == "reset"
            && let Some(is_done) = bystander.take()
        {
            std::thread::spawn(move || watch(is_done));
        }
        let live = LIVE.load(Ordering::Acquire);
        let last = LAST_END.load(Ordering::Relaxed);
        println!("{live} {last} {}", SLOWEST.load(Ordering::Relaxed));
        std::io::stdout().flush()?;
    }
    Ok(())
}

/// Asks, again and again, what nobody ends. Begun only when its answers are wanted: it costs the
/// service a good part of its core.
fn watch(mut is_done: impl FnMut() -> bool) {
    loop {
        std::thread::sleep(Duration::from_micros(50));
        let start = Instant::now();
        assert!(!std::hint::black_box(is_done()));
        let took = start.elapsed().as_nanos() as u64;
        SLOWEST.fetch_max(took, Ordering::Relaxed);
    }
}

fn ours(ctx: &Context) -> (ContextLayer, Router) {
    let layer = ContextLayer::new(ctx)
        .timeout_header(TIMEOUT)
        .default_timeout(LIMIT);
    let router = Router::new()
        .route("/work", get(async |ctx: Context| fan_out(&ctx, part).await))
        .route("/wait", get(async |ctx: Context| fan_out(&ctx, wait).await));
    (layer, router)
}

/// Ours with nothing of the layer: the context is made as the token is by hand.
fn scoped(has_deadline: bool) -> Router {
    // For as long as the process serves.
    let server: &'static Context = Box::leak(Box::new(Context::background().with_cancel()));
    let work = async move |headers: HeaderMap| match has_deadline {
        true => fan_out(&server.with_timeout(limit(&headers)), part).await,
        false => fan_out(&server.with_cancel(), part).await,
    };
    Router::new().route("/work", get(work))
}

/// Three tasks under the context of the request.
async fn fan_out<Fut>(
    ctx: &Context,
    part: impl Fn(Context) -> Fut,
) -> Result<&'static str, ContextError>
where
    Fut: Future<Output = Result<(), Cancelled>> + Send + 'static,
{
    scope(ctx, async |s| {
        for _ in 0..3 {
            s.spawn(&part);
        }
        Ok::<_, Cancelled>(())
    })
    .await?;
    Ok("done")
}

async fn part(ctx: Context) -> Result<(), Cancelled> {
    ctx.run(tokio::task::yield_now()).await
}

async fn wait(ctx: Context) -> Result<(), Cancelled> {
    let _live = Live::new();
    Err(ctx.done().await)
}

fn by_hand(server: CancellationToken) -> Router {
    let work = async |server: State<CancellationToken>, headers: HeaderMap| {
        fan_out_by_hand(&server, &headers, part_by_hand).await
    };
    let wait = async |server: State<CancellationToken>, headers: HeaderMap| {
        fan_out_by_hand(&server, &headers, wait_by_hand).await
    };
    Router::new()
        .route("/work", get(work))
        .route("/wait", get(wait))
        .with_state(server)
}

/// The same by hand: each part under a token that is cancelled when the handler is dropped.
async fn fan_out_by_hand<Fut>(
    server: &CancellationToken,
    headers: &HeaderMap,
    part: impl Fn(CancellationToken) -> Fut,
) -> Result<&'static str, StatusCode>
where
    Fut: Future<Output = Option<()>> + Send + 'static,
{
    let limit = limit(headers);
    let token = server.child_token();
    let _guard = token.clone().drop_guard();
    let parts = async {
        let mut tasks = JoinSet::new();
        for _ in 0..3 {
            tasks.spawn(part(token.clone()));
        }
        let mut all = Some(());
        while let Some(joined) = tasks.join_next().await {
            all = all.and(joined.ok().flatten());
        }
        all
    };
    match tokio::time::timeout(limit, parts).await {
        Ok(Some(())) => Ok("done"),
        Ok(None) => Err(StatusCode::SERVICE_UNAVAILABLE),
        Err(_) => Err(StatusCode::GATEWAY_TIMEOUT),
    }
}

fn limit(headers: &HeaderMap) -> Duration {
    let millis = headers.get(TIMEOUT).and_then(|text| text.to_str().ok());
    let millis = millis.and_then(|text| text.parse().ok());
    millis.map_or(LIMIT, Duration::from_millis)
}

async fn part_by_hand(token: CancellationToken) -> Option<()> {
    token.run_until_cancelled(tokio::task::yield_now()).await
}

async fn wait_by_hand(token: CancellationToken) -> Option<()> {
    let _live = Live::new();
    token.cancelled().await;
    None
}
