//! A server that stops in order: [`serve`].

use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use spawn_scoped::{Scope, ScopeOptions, Straggler};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_ctx_core::{CancelGuard, Cancelled, Context, Reason, owner};
use tower_service::Service;

use crate::error::BoxError;

/// Serves `app` on `listener`, HTTP/1 and HTTP/2, until `ctx` ends, with nothing left running
/// when it returns.
///
/// [`ServeOptions`] with nothing set; see there for what happens at the end.
///
/// `app` is made by a closure that gets the server's scope: the context for
/// [`ContextLayer`](crate::ContextLayer) is that scope's, so that the work of dropped handlers
/// is waited for; and a clone of the scope is where a handler spawns what shall outlive its
/// request.
///
/// # Errors
///
/// See [`ServeOptions::serve`].
///
/// # Cancel safety
///
/// Dropped, the server stops at once: connections are asked to stop, and joined by the scope
/// around `ctx`, or by [`spawn_scoped::root`].
///
/// # Examples
///
/// ```
/// use axum::{Router, routing::get};
/// use tokio::net::TcpListener;
/// use tokio_ctx::Context;
/// use tokio_ctx::tower::{ContextLayer, axum::serve};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let ctx = Context::background().with_cancel(); // or one that ends with SIGTERM
/// # ctx.cancel();
/// let report = serve(&ctx, listener, |server| {
///     Router::new()
///         .route("/", get(async || "hello"))
///         .layer(ContextLayer::new(server.context()))
/// })
/// .await?;
/// assert!(report.stragglers().is_empty());
/// # Ok(())
/// # }
/// ```
#[track_caller]
pub fn serve<S, B, F>(
    ctx: &Context,
    listener: TcpListener,
    app: F,
) -> impl Future<Output = Result<ServeReport, Cancelled>>
where
    F: FnOnce(&Scope<Cancelled>) -> S,
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
    S: Clone + Send + Sync + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    ServeOptions::new().serve(ctx, listener, app)
}

/// How a server starts and stops.
///
/// When the context of the server ends,
///
/// 1. no connection is accepted any more, and those that are idle are closed;
/// 2. with a [`drain`](Self::drain), requests go on undisturbed for at most that long;
/// 3. the context of each request ends, with what ended the server's;
/// 4. answers are sent, and every task is joined; those that take long are reported through
///    tracing every five seconds, by name and place;
/// 5. with a [`grace`](Self::grace), what still runs after it is aborted.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tokio_ctx::tower::axum::ServeOptions;
///
/// let options = ServeOptions::new()
///     .drain(Duration::from_secs(5))
///     .grace(Duration::from_secs(10));
/// assert_eq!(format!("{options:?}"), "ServeOptions { drain: 5s, grace: Some(10s) }");
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "options do nothing until `serve` is called"]
pub struct ServeOptions {
    drain: Duration,
    grace: Option<Duration>,
}

/// What the end of a server was like.
///
/// # Examples
///
/// ```
/// use axum::Router;
/// use tokio::net::TcpListener;
/// use tokio_ctx::Context;
/// use tokio_ctx::tower::axum::{ServeReport, serve};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let ctx = Context::background().with_cancel();
/// ctx.cancel();
/// let report: ServeReport = serve(&ctx, listener, |_| Router::new()).await?;
/// assert_eq!(report.num_connections(), 0);
/// assert!(report.stragglers().is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct ServeReport {
    connections: u64,
    stragglers: Vec<Straggler>,
    took: Duration,
}

impl ServeReport {
    /// How many connections were accepted.
    ///
    /// # Examples
    ///
    /// ```
    /// use axum::{Router, routing::get};
    /// use tokio::net::TcpListener;
    /// use tokio_ctx::Context;
    /// use tokio_ctx::tower::axum::serve;
    /// # use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    /// # async fn get_from(address: std::net::SocketAddr) -> std::io::Result<String> {
    /// #     let mut stream = tokio::net::TcpStream::connect(address).await?;
    /// #     stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await?;
    /// #     let mut answer = String::new();
    /// #     stream.read_to_string(&mut answer).await?;
    /// #     Ok(answer)
    /// # }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// let address = listener.local_addr()?;
    /// let ctx = Context::background().with_cancel();
    /// let client = async {
    ///     let answer = get_from(address).await;
    ///     ctx.cancel();
    ///     answer
    /// };
    /// let app = Router::new().route("/", get(async || "hello"));
    /// let (report, answer) = tokio::join!(serve(&ctx, listener, |_| app), client);
    /// assert!(answer?.ends_with("hello"));
    /// assert_eq!(report?.num_connections(), 1);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn num_connections(&self) -> u64 {
        self.connections
    }

    /// The tasks that were still running when the requests were asked to stop: connections,
    /// streams of HTTP/2, and what handlers left in the server's scope. All were joined.
    ///
    /// # Examples
    ///
    /// ```
    /// use axum::Router;
    /// use tokio::net::TcpListener;
    /// use tokio::time::{Duration, sleep};
    /// use tokio_ctx::Context;
    /// use tokio_ctx::tower::axum::serve;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// let ctx = Context::background().with_cancel();
    /// ctx.cancel();
    /// let report = serve(&ctx, listener, |server| {
    ///     server.spawn(async |_ctx| Ok(sleep(Duration::from_secs(3)).await));
    ///     Router::new()
    /// })
    /// .await?;
    /// assert_eq!(report.stragglers().len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn stragglers(&self) -> &[Straggler] {
        &self.stragglers
    }

    /// The time from the end of the server's context to the end of its last task.
    ///
    /// # Examples
    ///
    /// ```
    /// use axum::Router;
    /// use tokio::net::TcpListener;
    /// use tokio::time::{Duration, sleep};
    /// use tokio_ctx::Context;
    /// use tokio_ctx::tower::axum::serve;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// let ctx = Context::background().with_cancel();
    /// ctx.cancel();
    /// let report = serve(&ctx, listener, |server| {
    ///     server.spawn(async |_ctx| Ok(sleep(Duration::from_secs(3)).await));
    ///     Router::new()
    /// })
    /// .await?;
    /// assert!(report.took() >= Duration::from_secs(3));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn took(&self) -> Duration {
        self.took
    }
}

impl ServeOptions {
    /// Nothing set: no drain, and no grace after which work is aborted.
    ///
    /// # Examples
    ///
    /// ```
    /// use axum::Router;
    /// use tokio::net::TcpListener;
    /// use tokio_ctx::Context;
    /// use tokio_ctx::tower::axum::ServeOptions;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// let ctx = Context::background().with_cancel();
    /// ctx.cancel();
    /// let report = ServeOptions::new().serve(&ctx, listener, |_| Router::new()).await?;
    /// assert!(report.took().is_zero());
    /// # Ok(())
    /// # }
    /// ```
    pub fn new() -> ServeOptions {
        ServeOptions::default()
    }

    /// Leaves requests alone for that long before their contexts end. Not set: none.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use axum::{Router, routing::get};
    /// use tokio::net::TcpListener;
    /// use tokio_ctx::Context;
    /// use tokio_ctx::tower::ContextLayer;
    /// use tokio_ctx::tower::axum::ServeOptions;
    /// # async fn work() { tokio::time::sleep(Duration::from_millis(10)).await; }
    /// # use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    /// # async fn get_from(address: std::net::SocketAddr) -> std::io::Result<String> {
    /// #     let mut stream = tokio::net::TcpStream::connect(address).await?;
    /// #     stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await?;
    /// #     let mut answer = String::new();
    /// #     stream.read_to_string(&mut answer).await?;
    /// #     Ok(answer)
    /// # }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// let address = listener.local_addr()?;
    /// let ctx = Context::background().with_cancel();
    /// let stop = ctx.handle();
    /// let handler = move |request: Context| {
    ///     stop.cancel(); // the server's context ends while it answers
    ///     async move { format!("undisturbed: {}", request.run(work()).await.is_ok()) }
    /// };
    /// let options = ServeOptions::new().drain(Duration::from_secs(60));
    /// let serve = options.serve(&ctx, listener, |server| {
    ///     Router::new().route("/", get(handler)).layer(ContextLayer::new(server.context()))
    /// });
    /// let (report, answer) = tokio::join!(serve, get_from(address));
    /// assert!(answer?.ends_with("undisturbed: true"));
    /// assert!(report?.stragglers().is_empty());
    /// # Ok(())
    /// # }
    /// ```
    pub fn drain(mut self, drain: Duration) -> ServeOptions {
        self.drain = drain;
        self
    }

    /// Aborts what still runs that long after requests were asked to stop. Not set: never, and
    /// the server waits as long as it takes.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::future::pending;
    /// use std::time::Duration;
    /// use axum::Router;
    /// use tokio::net::TcpListener;
    /// use tokio_ctx::{Context, Reason};
    /// use tokio_ctx::tower::axum::ServeOptions;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// let ctx = Context::background().with_cancel();
    /// ctx.cancel();
    /// let options = ServeOptions::new().grace(Duration::from_secs(10));
    /// let aborted = options.serve(&ctx, listener, |server| {
    ///     server.spawn(async |_ctx| pending::<Result<(), _>>().await);
    ///     Router::new()
    /// });
    /// assert_eq!(aborted.await.unwrap_err().reason(), Reason::TaskAborted);
    /// # Ok(())
    /// # }
    /// ```
    pub fn grace(mut self, grace: Duration) -> ServeOptions {
        self.grace = Some(grace);
        self
    }

    /// Serves as [`serve`] does.
    ///
    /// # Errors
    ///
    /// A [`Cancelled`] with reason [`TaskAborted`](tokio_ctx_core::Reason::TaskAborted) when work
    /// was aborted after the grace. The end of `ctx` is no error: it is how a server ends.
    ///
    /// # Cancel safety
    ///
    /// That of [`serve`].
    ///
    /// # Examples
    ///
    /// ```
    /// use axum::{Router, routing::get};
    /// use tokio::net::TcpListener;
    /// use tokio_ctx::Context;
    /// use tokio_ctx::tower::ContextLayer;
    /// use tokio_ctx::tower::axum::ServeOptions;
    /// # use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    /// # async fn get_from(address: std::net::SocketAddr) -> std::io::Result<String> {
    /// #     let mut stream = tokio::net::TcpStream::connect(address).await?;
    /// #     stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await?;
    /// #     let mut answer = String::new();
    /// #     stream.read_to_string(&mut answer).await?;
    /// #     Ok(answer)
    /// # }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// let address = listener.local_addr()?;
    /// let ctx = Context::background().with_cancel();
    /// let stop = ctx.handle();
    /// let handler = move |request: Context| {
    ///     stop.cancel();
    ///     async move { format!("ended: {:?}", request.done().await.reason()) }
    /// };
    /// let serve = ServeOptions::new().serve(&ctx, listener, |server| {
    ///     Router::new().route("/", get(handler)).layer(ContextLayer::new(server.context()))
    /// });
    /// let (report, answer) = tokio::join!(serve, get_from(address));
    /// assert!(answer?.ends_with("ended: Cancelled"), "it is answered all the same");
    /// assert_eq!(report?.num_connections(), 1);
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn serve<S, B, F>(
        self,
        ctx: &Context,
        listener: TcpListener,
        app: F,
    ) -> impl Future<Output = Result<ServeReport, Cancelled>>
    where
        F: FnOnce(&Scope<Cancelled>) -> S,
        S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
        S: Clone + Send + Sync + 'static,
        S::Future: Send,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let location = Location::caller();
        async move {
            let requests = lifetime_of_requests(ctx);
            let mut options = ScopeOptions::new().name("server").supervise();
            if let Some(grace) = self.grace {
                options = options.grace(grace);
            }
            let patience = self.grace.map_or(PATIENCE, |grace| PATIENCE.min(grace / 2));
            let mut report = ServeReport::default();
            let mut ended_at = None;
            let run = options.run(&requests, async |s: Scope<Cancelled>| {
                let (alive, mut all_gone) = mpsc::channel(1);
                let server = Connections {
                    scope: s.clone(),
                    stop: ctx.merge(s.context()),
                    _alive: alive,
                };
                report.connections = server.accept(&listener, app(&s)).await;
                // Closed, so that the next one is refused by the system rather than by nobody.
                drop((listener, server));
                ended_at = Some(Instant::now());

                let why = ctx.err().or_else(|| s.context().err());
                let why = why.unwrap_or_else(|| owner::cancelled(Reason::Shutdown, location, None));
                tracing::info!(%why, "the server stops");
                within(self.drain, all_gone.recv()).await;
                owner::cancel(&requests.handle(), why);
                within(patience, async {
                    all_gone.recv().await;
                    // What a handler left behind may need a moment more than its connection.
                    while !s.unfinished().is_empty() {
                        within(MOMENT, pending::<()>()).await;
                    }
                })
                .await;
                report.stragglers = s.unfinished();
                for straggler in &report.stragglers {
                    tracing::warn!(%straggler, "the server waits");
                }
                Ok(())
            });
            run.await?;
            report.took = ended_at.map_or(Duration::ZERO, |at| at.elapsed());
            Ok(report)
        }
    }
}

/// How long after the requests were asked to stop it is told who has not.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often it is looked whether anybody is left.
const MOMENT: Duration = Duration::from_millis(10);

/// How long a client may take to send the head of its request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// How long to wait when there are no descriptors for another connection.
const BREATHER: Duration = Duration::from_millis(100);

/// Everything of `ctx` but its end: with a drain the requests outlive that.
fn lifetime_of_requests(ctx: &Context) -> CancelGuard {
    ctx.without_cancel().with_cancel()
}

/// Waits for `future` at most that long.
async fn within<T>(time: Duration, future: impl Future<Output = T>) {
    // Either way it is over.
    drop(Context::background().with_timeout(time).run(future).await);
}

/// What each connection gets.
#[derive(Clone)]
struct Connections {
    scope: Scope<Cancelled>,
    /// Ends with the server's own context, which is before the requests' contexts end.
    stop: Context,
    /// Dropped by the last connection, and never sent on.
    _alive: mpsc::Sender<Infallible>,
}

impl Connections {
    /// Accepts until it is time to stop. Says how many came.
    async fn accept<S, B>(&self, listener: &TcpListener, service: S) -> u64
    where
        S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
        S: Clone + Send + Sync + 'static,
        S::Future: Send,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let mut accepted = 0;
        while let Ok(next) = self.stop.run(listener.accept()).await {
            match next {
                Ok((stream, _)) => {
                    accepted += 1;
                    let connection = caught(self.clone().connection(stream, service.clone()));
                    drop(self.scope.spawn(move |_| connection));
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    within(BREATHER, self.stop.done()).await;
                }
            }
        }
        accepted
    }

    /// Serves one connection; asked to stop, it finishes the requests it has.
    async fn connection<S, B>(self, stream: TcpStream, service: S)
    where
        S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
        S: Clone + Send + 'static,
        S::Future: Send,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        // Answers are written whole; waiting for more of one only delays it.
        drop(stream.set_nodelay(true));
        let stop = self.stop.clone();
        let mut http = auto::Builder::new(self);
        http.http1()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT);
        http.http2().timer(TokioTimer::new());
        let http = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
        let mut http = pin!(http);
        if stop.run(http.as_mut()).await.is_err() {
            http.as_mut().graceful_shutdown();
            // Broken sockets have nobody to be told.
            drop(http.await);
        }
    }
}

/// The streams of HTTP/2 are tasks of the server's scope as well.
impl<F> Executor<F> for Connections
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, stream: F) {
        drop(self.scope.spawn(move |_| caught(stream)));
    }
}

/// A handler that panics takes its connection along, not the server.
async fn caught(future: impl Future<Output = ()>) -> Result<(), Cancelled> {
    let mut future = pin!(future);
    poll_fn(
        |cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
            Ok(polled) => polled,
            // Its message went through the panic hook.
            Err(_payload) => Poll::Ready(()),
        },
    )
    .await;
    Ok(())
}
