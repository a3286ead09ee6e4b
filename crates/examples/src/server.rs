//! The server: a listener and its connections, all of them tasks of one scope.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::panic::Location;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use spawn_scoped::ScopeOptions;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_ctx::{CancelGuard, Cancelled, Context, Reason, owner};

use crate::db::Databases;
use crate::journal::{Entry, Journal};
use crate::service::{App, router};

/// How long a client may take to send the head of its request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a connection may take to send its last answer once the server stops.
const LAST_ANSWER: Duration = Duration::from_secs(2);

/// A server that runs. Dropped without [`shutdown`](Server::shutdown) it stops, unobserved.
///
/// # Examples
///
/// ```
/// use examples::{client::Call, db::Databases, server::Server};
/// use std::sync::Arc;
/// use tokio_ctx::Reason;
///
/// # tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
/// let dir = tempfile::tempdir()?;
/// let databases = Arc::new(Databases::open_or_fill(dir.path())?);
/// let server = Server::start(databases).await?;
///
/// let answer = Call::send(server.address(), "GET /", &[]).await?.answer().await?;
/// assert_eq!(answer.status, 200);
///
/// let shutdown = server.shutdown(Reason::Shutdown).await;
/// assert!(shutdown.waited_for.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    journal: Arc<Journal>,
    root: CancelGuard,
    serving: JoinHandle<Result<(), Cancelled>>,
}

/// What a shutdown had to do.
#[derive(Debug)]
pub struct Shutdown {
    /// The work that was still running, and how long after the shutdown began each one ended.
    pub waited_for: Vec<(Entry, Duration)>,
    /// How long it took in all.
    pub took: Duration,
    /// Why it was not in order, if it was not.
    pub problem: Option<String>,
}

impl Server {
    /// Starts to serve on a loopback port that the system picks.
    ///
    /// # Errors
    ///
    /// Those of the socket.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future starts nothing.
    pub async fn start(databases: Arc<Databases>) -> io::Result<Server> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let journal = Arc::new(Journal::default());
        // ctx-lint: allow(background-outside-root) this is the root of the server
        let root = Context::background().with_name("server").with_cancel();
        let serving = serve(
            Context::clone(&root),
            listener,
            databases,
            Arc::clone(&journal),
        );
        Ok(Server {
            address,
            journal,
            root,
            serving: tokio::spawn(serving),
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it is doing.
    #[must_use]
    pub fn journal(&self) -> &Arc<Journal> {
        &self.journal
    }

    /// Stops in order: no new connection, every request cancelled for `reason`, last answers
    /// sent, every task joined.
    ///
    /// # Cancel safety
    ///
    /// The server stops even if the future is dropped; only the account of it is lost.
    #[track_caller]
    pub fn shutdown(self, reason: Reason) -> impl Future<Output = Shutdown> {
        let asked = Instant::now();
        let running = self.journal.running();
        let why = owner::cancelled(reason, Location::caller(), None);
        owner::cancel(&self.root.handle(), why);
        async move {
            let problem = match self.serving.await {
                Ok(Ok(())) => None,
                Ok(Err(cancelled)) => Some(cancelled.to_string()),
                Err(panicked) => Some(panicked.to_string()),
            };
            let ended = |entry: Entry| {
                let entry = self.journal.latest(&entry).unwrap_or(entry);
                let at = entry
                    .ended
                    .as_ref()
                    .map_or_else(Instant::now, |(at, _)| *at);
                (entry, at.duration_since(asked))
            };
            let waited_for = running.into_iter().map(ended).collect();
            Shutdown {
                waited_for,
                took: asked.elapsed(),
                problem,
            }
        }
    }
}

/// Accepts connections until `ctx` ends; returns when every task of the server is joined.
async fn serve(
    ctx: Context,
    listener: TcpListener,
    databases: Arc<Databases>,
    journal: Arc<Journal>,
) -> Result<(), Cancelled> {
    // Supervised: whatever becomes of one connection or job, the others go on.
    let options = ScopeOptions::new().name("server").supervise();
    options
        .run(&ctx, async |s| {
            let server = s.clone();
            let service = router(App {
                databases,
                journal,
                server,
                exports: AtomicU64::new(0),
            });
            let ctx = s.context();
            while let Ok(accepted) = ctx.run(listener.accept()).await {
                match accepted {
                    Ok((stream, _)) => {
                        let service = service.clone();
                        // Refused only when the server stops: the client sees its connection close.
                        if s.try_spawn(|ctx| connection(ctx, stream, service)).is_err() {
                            break;
                        }
                    }
                    Err(error) => {
                        // Out of descriptors, most likely: some are given back soon.
                        tracing::warn!("cannot accept: {error}");
                        drop(ctx.run(sleep(Duration::from_millis(100))).await);
                    }
                }
            }
            Ok(())
        })
        .await
}

/// Serves one connection. It took the context, so it owns its wind-down: the last answer.
async fn connection(ctx: Context, stream: TcpStream, service: Router) -> Result<(), Cancelled> {
    let http = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    let mut http = pin!(http);
    tokio::select! {
        // Bad requests were answered, broken sockets have nobody to be answered.
        _ = http.as_mut() => return Ok(()),
        _ = ctx.done() => http.as_mut().graceful_shutdown(),
    }
    if timeout(LAST_ANSWER, http).await.is_err() {
        tracing::warn!("cut off a connection that did not end");
    }
    Ok(())
}
