//! The server: a listener that `tokio-ctx-tower` serves, and the account of its end.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_ctx::tower::serve::ServeOptions;
use tokio_ctx::{CancelGuard, Context, Reason};

use crate::db::Databases;
use crate::journal::{Entry, Journal};
use crate::service::{App, router};

/// How long requests may go on once the server was asked to stop. Short: the audience waits.
const DRAIN: Duration = Duration::from_millis(50);

/// A server that runs. Dropped without [`shutdown`](Server::shutdown) it stops, unobserved.
///
/// # Examples
///
/// ```
/// use examples::{client::Call, db::Databases, server::Server};
/// use std::sync::Arc;
/// use tokio_ctx::{Context, Reason};
///
/// # tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
/// let dir = tempfile::tempdir()?;
/// let databases = Arc::new(Databases::open_or_fill(dir.path())?);
/// let server = Server::start(&Context::background(), databases).await?;
///
/// let answer = Call::send(server.address(), "GET /", &[]).await?.answer().await?;
/// assert_eq!(answer.status, 200);
///
/// let shutdown = server.shutdown(Reason::Shutdown).await;
/// assert!(shutdown.waited_for.is_empty());
/// assert_eq!(shutdown.problem, None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    journal: Arc<Journal>,
    stop: CancelGuard,
    /// What was running when the context ended; set once, by that end.
    last: Arc<OnceLock<(Instant, Vec<Entry>)>>,
    /// Says what was aborted, if anything was.
    serving: JoinHandle<Option<String>>,
}

/// What a shutdown had to do.
#[derive(Debug)]
pub struct Shutdown {
    /// The work that had to stop first, and how long after the shutdown began it did.
    pub waited_for: Vec<(Entry, Duration)>,
    /// How long it took in all.
    pub took: Duration,
    /// Why it was not in order, if it was not.
    pub problem: Option<String>,
}

impl Server {
    /// Starts to serve, until `ctx` ends, on a loopback port that the system picks.
    ///
    /// # Errors
    ///
    /// Those of the socket.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future starts nothing.
    pub async fn start(ctx: &Context, databases: Arc<Databases>) -> io::Result<Server> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let journal = Arc::new(Journal::default());
        let stop = ctx.with_name("server").with_cancel();

        let last = Arc::new(OnceLock::new());
        let (seen, running) = (Arc::clone(&last), Arc::clone(&journal));
        // Written down before anything can stop: this runs before the requests hear of the end.
        stop.on_cancel(move |_| drop(seen.set((Instant::now(), running.running()))))
            .disarm();

        let ctx = Context::clone(&stop);
        let of_app = Arc::clone(&journal);
        let serving = async move {
            let options = ServeOptions::new().drain(DRAIN);
            let app = |server: &_| {
                router(App {
                    databases,
                    journal: of_app,
                    server: Clone::clone(server),
                    exports: AtomicU64::new(0),
                })
            };
            let report = options.serve(&ctx, listener, app).await;
            (!report.aborted().is_empty()).then(|| report.to_string())
        };
        Ok(Server {
            address,
            journal,
            stop,
            last,
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
        self.stop.cancel_with(reason);
        self.stopped()
    }

    /// Waits until the context that it was started with ends, and the server with it, in the
    /// order of [`shutdown`](Server::shutdown).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops the server; only the account of that is lost.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use examples::server::Server;
    /// # async fn example(databases: std::sync::Arc<examples::db::Databases>) -> std::io::Result<()> {
    /// let ctx = tokio_ctx::Context::background().with_signals()?;
    /// let server = Server::start(&ctx, databases).await?;
    /// let shutdown = server.stopped().await; // after Ctrl-C or SIGTERM
    /// assert_eq!(shutdown.problem, None);
    /// # Ok(()) }
    /// ```
    pub async fn stopped(mut self) -> Shutdown {
        let served = (&mut self.serving).await;
        // Not set when the context had ended before it served.
        let now = || (Instant::now(), Vec::new());
        let (asked, running) = self.last.get_or_init(now);
        let ended = |entry: Entry| {
            let entry = self.journal.latest(&entry).unwrap_or(entry);
            let end = entry.ended.as_ref();
            let at = end.map_or_else(Instant::now, |(at, _)| *at);
            (entry, at.saturating_duration_since(*asked))
        };
        // What was on its way to its thread was waited for as well.
        let late = self.journal.since(*asked);
        let waited_for: Vec<_> = running.iter().cloned().chain(late).map(ended).collect();

        let problem = served.unwrap_or_else(|panicked| Some(panicked.to_string()));
        Shutdown {
            waited_for,
            took: asked.elapsed(),
            problem,
        }
    }
}
