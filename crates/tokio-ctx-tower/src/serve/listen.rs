//! A server on a listener: [`serve`].

use std::any::Any;
use std::convert::Infallible;
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum_core::body::Body;
use bytes::Bytes;
use http::{Extensions, Request, Response};
use http_body::Body as HttpBody;
use spawn_scoped::Spawner;
use tokio::net::TcpStream;
use tokio_ctx_core::Context;
use tower_service::Service;

use ::axum::extract::ConnectInfo;
use ::axum::serve::Listener;

use super::connection::Connection;
use super::options::ServeOptions;
use super::order;
use super::report::ServeReport;
use super::request::{Cuts, Requests};
use super::state::State;
use super::tasks::Tasks;
use super::upgrade::Upgrades;
use crate::context::config::with_capacity_for_a_router;
use crate::error::BoxError;

/// Serves `app` on `listener`, HTTP/1 and HTTP/2, until `ctx` ends, with nothing left running
/// when it returns.
///
/// [`ServeOptions`] with nothing set; the [module](mod@crate::serve) says what happens at the end.
///
/// `listener` is any [`Listener`] of axum: TCP, a Unix socket, TLS. `app` is what
/// `axum::serve` takes, a router mostly. It is made by a closure that gets the server's
/// [`Spawner`]: the context for [`ContextLayer`](crate::ContextLayer) is its context, so that
/// the work of dropped handlers is waited for; and a clone of it is where a handler starts what
/// shall outlive its request. What is started there is isolated: an error or a panic is
/// reported, and ends nothing else.
///
/// Requests carry a `ConnectInfo<L::Addr>`. Upgrades work, on HTTP/1 and HTTP/2; for what
/// follows one see [`Upgrade`](super::Upgrade). A panic costs its own connection, or its own
/// stream of HTTP/2.
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
/// use tokio_ctx::tower::{ContextLayer, serve};
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
/// .await;
/// assert!(report.is_clean());
/// # Ok(())
/// # }
/// ```
#[cfg(feature = "axum")] // as its module, for the documentation
#[track_caller]
pub fn serve<L, S, B, F>(ctx: &Context, listener: L, app: F) -> impl Future<Output = ServeReport>
where
    L: Listener<Addr: Clone + Sync + 'static>,
    F: FnOnce(&Spawner) -> S,
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible>,
    S: Clone + Send + Sync + 'static,
    S::Future: Send,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    ServeOptions::new().serve(ctx, listener, app)
}

impl ServeOptions {
    /// Serves as [`serve`](super::serve()) does.
    ///
    /// # Cancel safety
    ///
    /// That of [`serve`](super::serve()).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use axum::{Router, routing::get};
    /// use tokio::net::TcpListener;
    /// use tokio_ctx::Context;
    /// use tokio_ctx::tower::serve::ServeOptions;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// let ctx = Context::background().with_cancel();
    /// # ctx.cancel();
    /// let options = ServeOptions::new().idle_timeout(Duration::from_secs(650));
    /// let app = Router::new().route("/", get(async || "hello"));
    /// let report = options.serve(&ctx, listener, |_server| app).await;
    /// assert!(report.is_clean());
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "axum")] // as its module, for the documentation
    #[track_caller]
    pub fn serve<L, S, B, F>(
        self,
        ctx: &Context,
        listener: L,
        app: F,
    ) -> impl Future<Output = ServeReport>
    where
        L: Listener<Addr: Clone + Sync + 'static>,
        F: FnOnce(&Spawner) -> S,
        S: Service<Request<Body>, Response = Response<B>, Error = Infallible>,
        S: Clone + Send + Sync + 'static,
        S::Future: Send,
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let location = Location::caller();
        async move {
            let settings = Arc::new(self.settings);
            let cuts = Arc::new(Cuts::default());
            let accepted = AtomicU64::new(0);
            let (set, counted, count) = (&settings, &cuts, &accepted);
            let server = move |tasks: Spawner, stop: Context| {
                let service = app(&tasks);
                let upgrades = Arc::new(Upgrades {
                    tasks: tasks.clone(),
                    lifetime: tasks.context().merge(&stop),
                    location,
                });
                let server = Server {
                    service,
                    cuts: Arc::clone(counted),
                    upgrades,
                    connection: Arc::new(Connection {
                        settings: Arc::clone(set),
                        requests: tasks.context().clone(),
                        tasks: Tasks(tasks),
                        stop,
                    }),
                    empty_extensions: with_capacity_for_a_router(),
                };
                async move { server.accept(listener, count).await }
            };
            let (_, mut report) =
                order::run(ctx, &settings, location, server, || cuts.begin()).await;
            report.connections = Some(accepted.into_inner());
            report.requests_cut = cuts.count();
            report
        }
    }
}

/// How long a connection may take that came before the end and is not accepted yet.
const BACKLOG: Duration = Duration::from_millis(10);

/// What is the same for all connections.
struct Server<S> {
    service: S,
    cuts: Arc<Cuts>,
    upgrades: Arc<Upgrades>,
    connection: Arc<Connection>,
    empty_extensions: Extensions,
}

impl<S, B> Server<S>
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    /// Accepts until it is time to stop, and closes the listener.
    async fn accept<L>(&self, mut listener: L, accepted: &AtomicU64)
    where
        L: Listener<Addr: Clone + Sync + 'static>,
    {
        let stop = &self.connection.stop;
        while let Ok((io, peer)) = stop.run(listener.accept()).await {
            accepted.fetch_add(1, Ordering::Relaxed);
            self.start::<L>(io, peer);
        }
        // A client that connected before the end, or has not noticed it, is not turned away.
        let linger = self.connection.settings.linger;
        let rest = Context::background().with_timeout(linger.max(BACKLOG));
        while let Ok((io, peer)) = rest.run(listener.accept()).await {
            accepted.fetch_add(1, Ordering::Relaxed);
            self.start::<L>(io, peer);
        }
    }

    fn start<L>(&self, mut io: L::Io, peer: L::Addr)
    where
        L: Listener<Addr: Clone + Sync + 'static>,
    {
        undelayed(&mut io);
        let state = Arc::new(State::new());
        let mut extensions = self.empty_extensions.clone();
        extensions.insert(ConnectInfo(peer));
        let requests = Requests {
            inner: self.service.clone(),
            state: Arc::clone(&state),
            cuts: Arc::clone(&self.cuts),
            extensions,
            upgrades: Arc::clone(&self.upgrades),
            body_timeout: self.connection.settings.body_timeout,
        };
        let connection = Arc::clone(&self.connection);
        let tasks = &self.connection.tasks;
        tasks.spawn("connection", connection.run(io, state, requests));
    }
}

/// Has a socket of TCP send what is written at once: responses are written whole, and waiting
/// for more of one only delays it.
fn undelayed(io: &mut dyn Any) {
    if let Some(stream) = io.downcast_mut::<TcpStream>() {
        drop(stream.set_nodelay(true));
    }
}
