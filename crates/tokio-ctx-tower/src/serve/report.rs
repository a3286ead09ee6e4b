//! What the end of a server was like: [`ServeReport`].

use std::fmt;
use std::time::Duration;

use spawn_scoped::TaskSnapshot;
use tokio_ctx_core::Cancelled;

/// What the end of a server was like.
///
/// A slow client costs its own request: that requests were cut off is in the report, and no
/// error. Printed, the report is one line for the log.
///
/// # Examples
///
/// ```
/// use axum::Router;
/// use tokio::net::TcpListener;
/// use tokio_ctx::Context;
/// use tokio_ctx::tower::serve::{ServeReport, serve};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let ctx = Context::background().with_cancel();
/// ctx.cancel();
/// let report: ServeReport = serve(&ctx, listener, |_| Router::new()).await;
/// assert!(report.is_clean());
/// assert!(report.to_string().ends_with("cut nothing off"), "{report}");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct ServeReport {
    /// `None` of a server of another crate.
    pub(super) connections: Option<u64>,
    pub(super) requests_cut: usize,
    pub(super) stragglers: Vec<TaskSnapshot>,
    pub(super) aborted: Vec<TaskSnapshot>,
    pub(super) failure: Option<Cancelled>,
    pub(super) why: Option<Cancelled>,
    /// A server of another crate had not ended after the grace.
    pub(super) has_left_server: bool,
    pub(super) took: Duration,
}

impl ServeReport {
    /// Whether everything came to its own end: nothing was cut off or aborted.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::future::pending;
    /// use axum::Router;
    /// use tokio::net::TcpListener;
    /// use tokio_ctx::Context;
    /// use tokio_ctx::tower::serve::serve;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// let ctx = Context::background().with_cancel();
    /// ctx.cancel();
    /// let report = serve(&ctx, listener, |server| {
    ///     server.task().name("stuck").spawn(async |_ctx| pending::<()>().await);
    ///     Router::new()
    /// })
    /// .await;
    /// assert!(!report.is_clean());
    /// assert_eq!(report.aborted()[0].name.as_deref(), Some("stuck"));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn is_clean(&self) -> bool {
        let is_all_joined = self.aborted.is_empty() && self.failure.is_none();
        self.requests_cut == 0 && is_all_joined && !self.has_left_server
    }

    /// What ended the server: `None` if it ended by itself.
    ///
    /// # Examples
    ///
    /// ```
    /// use axum::Router;
    /// use tokio::net::TcpListener;
    /// use tokio_ctx::Context;
    /// use tokio_ctx::tower::serve::serve;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// let ctx = Context::background().with_cancel();
    /// ctx.cancel_with("out of memory");
    /// let report = serve(&ctx, listener, |_| Router::new()).await;
    /// assert_eq!(report.why().unwrap().reason(), tokio_ctx::Reason::Cancelled);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn why(&self) -> Option<&Cancelled> {
        self.why.as_ref()
    }

    /// How many connections were accepted. Not known of a server of another crate: 0.
    ///
    /// # Examples
    ///
    /// ```
    /// use axum::{Router, routing::get};
    /// use tokio::net::TcpListener;
    /// use tokio_ctx::Context;
    /// use tokio_ctx::tower::serve::serve;
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
    /// assert_eq!(report.num_connections(), 1);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn num_connections(&self) -> u64 {
        self.connections.unwrap_or_default()
    }

    /// How many requests were aborted after the grace, without a whole response.
    ///
    /// # Examples
    ///
    /// ```
    /// # let report = tokio_ctx::tower::serve::ServeReport::default();
    /// if report.requests_cut() > 0 {
    ///     eprintln!("{} clients saw a broken connection", report.requests_cut());
    /// }
    /// # assert!(report.is_clean());
    /// ```
    #[must_use]
    pub fn requests_cut(&self) -> usize {
        self.requests_cut
    }

    /// The tasks that were still running a second after the requests were asked to stop:
    /// connections, streams of HTTP/2, and what handlers left in the server's scope.
    ///
    /// # Examples
    ///
    /// ```
    /// use axum::Router;
    /// use tokio::net::TcpListener;
    /// use tokio::time::{Duration, sleep};
    /// use tokio_ctx::Context;
    /// use tokio_ctx::tower::serve::ServeOptions;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// let ctx = Context::background().with_cancel();
    /// ctx.cancel();
    /// let options = ServeOptions::new().drain(Duration::ZERO);
    /// let report = options
    ///     .serve(&ctx, listener, |server| {
    ///         server.isolated(async |_ctx| sleep(Duration::from_secs(3)).await);
    ///         Router::new()
    ///     })
    ///     .await;
    /// assert_eq!(report.stragglers().len(), 1);
    /// assert!(report.is_clean(), "it was waited for");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn stragglers(&self) -> &[TaskSnapshot] {
        &self.stragglers
    }

    /// The tasks that were aborted after the grace.
    ///
    /// # Examples
    ///
    /// ```
    /// # let report = tokio_ctx::tower::serve::ServeReport::default();
    /// for task in report.aborted() {
    ///     eprintln!("{task}"); // its name, its place, its age, and why it was to stop
    /// }
    /// # assert!(report.aborted().is_empty());
    /// ```
    #[must_use]
    pub fn aborted(&self) -> &[TaskSnapshot] {
        &self.aborted
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
    /// use tokio_ctx::tower::serve::serve;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// let ctx = Context::background().with_cancel();
    /// ctx.cancel();
    /// let report = serve(&ctx, listener, |server| {
    ///     server.isolated(async |_ctx| sleep(Duration::from_secs(3)).await);
    ///     Router::new()
    /// })
    /// .await;
    /// assert!(report.took() >= Duration::from_secs(3));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn took(&self) -> Duration {
        self.took
    }
}

impl fmt::Display for ServeReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(connections) = self.connections {
            write!(f, "served {}, ", Num(connections, "connection"))?;
        }
        write!(f, "stopped in {} ms, ", self.took.as_millis())?;
        if self.is_clean() {
            return f.write_str("cut nothing off");
        }
        let requests = Num(self.requests_cut as u64, "request");
        let tasks = Num(self.aborted.len() as u64, "task");
        write!(f, "cut off {requests}, aborted {tasks}")?;
        for task in &self.aborted {
            write!(f, "; {task}")?;
        }
        if self.has_left_server {
            f.write_str("; the server did not end in time")?;
        }
        match &self.failure {
            Some(failure) if self.aborted.is_empty() => write!(f, "; {failure}"),
            _ => Ok(()),
        }
    }
}

/// So many of what the word says.
struct Num(u64, &'static str);

impl fmt::Display for Num {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Num(number, word) = self;
        let s = if *number == 1 { "" } else { "s" };
        write!(f, "{number} {word}{s}")
    }
}
