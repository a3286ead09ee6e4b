//! How a server starts and stops: [`ServeOptions`].

use std::panic::Location;
use std::pin::Pin;
use std::time::Duration;

use spawn_scoped::Spawner;
use tokio::time::sleep;
use tokio_ctx_core::Context;

use super::order;
use super::report::ServeReport;
use super::settings::Settings;

/// How a server stops, and what its clients may keep it waiting for.
///
/// | setting | unless set | at the limit |
/// |---|---|---|
/// | [`linger`](Self::linger) | none | no connection is accepted any more |
/// | [`drain`](Self::drain) | 20 s | the contexts of requests end |
/// | [`grace`](Self::grace) | 5 s | what still runs is aborted |
/// | `head_timeout` | 30 s | a connection without a whole head is closed |
/// | `idle_timeout` | 75 s | a connection without a request is closed |
/// | `body_timeout` | 60 s | reading a body that does not come on fails |
/// | `write_timeout` | 60 s | writing what is not read fails |
/// | `keep_alive` | on | |
/// | `http2_pings` | after 60 s, for 20 s | a connection that does not answer is closed |
/// | `max_connection_age` | none | its responses are finished, and it is closed |
///
/// Go's `ReadHeaderTimeout` and `IdleTimeout` are `head_timeout` and `idle_timeout`; the deadline
/// of a request does the work of `ReadTimeout` and `WriteTimeout`.
///
/// All but the first three are for the feature `axum`. The module [`serve`](super) has the
/// order in which a server stops.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tokio_ctx::tower::serve::ServeOptions;
///
/// let options = ServeOptions::new()
///     .drain(Duration::from_secs(5))
///     .grace(Duration::from_secs(1));
/// assert!(format!("{options:?}").contains("drain: 5s"));
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "options do nothing until `serve` or `run` is called"]
pub struct ServeOptions {
    pub(super) settings: Settings,
}

impl ServeOptions {
    /// What the table above says.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::tower::serve::ServeOptions;
    /// assert!(format!("{:?}", ServeOptions::new()).contains("drain: 20s, grace: 5s"));
    /// ```
    pub fn new() -> ServeOptions {
        ServeOptions::default()
    }

    /// Goes on accepting connections for that long, which is a part of the drain.
    ///
    /// For balancers that take a moment to hear of the end of a server. Each response asks its
    /// client to close the connection.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tokio_ctx::tower::serve::ServeOptions;
    /// let options = ServeOptions::new().linger(Duration::from_secs(5));
    /// assert!(format!("{options:?}").contains("linger: 5s"));
    /// ```
    pub fn linger(mut self, linger: Duration) -> ServeOptions {
        self.settings.linger = linger;
        self
    }

    /// Leaves requests alone for that long before their contexts end.
    ///
    /// It is the [drain](spawn_scoped::ScopeOptions::drain) of the server's scope, whose jobs
    /// have it too: [`run`](Spawner::run) and the waiting for a slot end at once. A scope around
    /// the server needs no drain of its own, and should have none: its tasks, the server among
    /// them, would hear of the end only when it is over.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tokio_ctx::tower::serve::ServeOptions;
    /// let options = ServeOptions::new().drain(Duration::from_secs(60));
    /// assert!(format!("{options:?}").contains("drain: 60s"));
    /// ```
    pub fn drain(mut self, drain: Duration) -> ServeOptions {
        self.settings.drain = drain;
        self
    }

    /// Aborts what still runs that long after requests were asked to stop: the
    /// [grace](spawn_scoped::ScopeOptions::grace) of the server's scope. A closure of
    /// `spawn_blocking` that has begun cannot be aborted, and is waited for.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tokio_ctx::tower::serve::ServeOptions;
    /// let options = ServeOptions::new().grace(Duration::from_secs(1));
    /// assert!(format!("{options:?}").contains("grace: 1s"));
    /// ```
    pub fn grace(mut self, grace: Duration) -> ServeOptions {
        self.settings.grace = grace;
        self
    }

    /// How long a client may take to send the head of a request, from the first byte or, of a
    /// new connection, from the accept on.
    ///
    /// `None` for as long as it takes.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tokio_ctx::tower::serve::ServeOptions;
    /// let options = ServeOptions::new().head_timeout(Duration::from_secs(7));
    /// assert!(format!("{options:?}").contains("head_timeout: Some(7s)"));
    /// ```
    #[cfg(feature = "axum")]
    pub fn head_timeout(mut self, limit: impl Into<Option<Duration>>) -> ServeOptions {
        self.settings.head_timeout = limit.into();
        self
    }

    /// How long a connection may have no request. Set it longer than the proxy before the server
    /// keeps its connections, or a request may come in just when one is closed.
    ///
    /// `None` for as long as it takes.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tokio_ctx::tower::serve::ServeOptions;
    /// let options = ServeOptions::new().idle_timeout(Duration::from_secs(7));
    /// assert!(format!("{options:?}").contains("idle_timeout: Some(7s)"));
    /// ```
    #[cfg(feature = "axum")]
    pub fn idle_timeout(mut self, limit: impl Into<Option<Duration>>) -> ServeOptions {
        self.settings.idle_timeout = limit.into();
        self
    }

    /// How long a handler that reads a body waits for more of it.
    ///
    /// `None` for as long as it takes.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tokio_ctx::tower::serve::ServeOptions;
    /// let options = ServeOptions::new().body_timeout(Duration::from_secs(7));
    /// assert!(format!("{options:?}").contains("body_timeout: Some(7s)"));
    /// ```
    #[cfg(feature = "axum")]
    pub fn body_timeout(mut self, limit: impl Into<Option<Duration>>) -> ServeOptions {
        self.settings.body_timeout = limit.into();
        self
    }

    /// How long a client may leave what is written to it unread.
    ///
    /// `None` for as long as it takes.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tokio_ctx::tower::serve::ServeOptions;
    /// let options = ServeOptions::new().write_timeout(Duration::from_secs(7));
    /// assert!(format!("{options:?}").contains("write_timeout: Some(7s)"));
    /// ```
    #[cfg(feature = "axum")]
    pub fn write_timeout(mut self, limit: impl Into<Option<Duration>>) -> ServeOptions {
        self.settings.write_timeout = limit.into();
        self
    }

    /// How long a connection is used for new requests, so that clients spread over new servers.
    ///
    /// `None` for as long as it takes.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tokio_ctx::tower::serve::ServeOptions;
    /// let options = ServeOptions::new().max_connection_age(Duration::from_secs(7));
    /// assert!(format!("{options:?}").contains("max_age: Some(7s)"));
    /// ```
    #[cfg(feature = "axum")]
    pub fn max_connection_age(mut self, limit: impl Into<Option<Duration>>) -> ServeOptions {
        self.settings.max_age = limit.into();
        self
    }

    /// Whether connections of HTTP/1 are kept for further requests.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::tower::serve::ServeOptions;
    /// let options = ServeOptions::new().keep_alive(false);
    /// assert!(format!("{options:?}").contains("keep_alive: false"));
    /// ```
    #[cfg(feature = "axum")]
    pub fn keep_alive(mut self, keep_alive: bool) -> ServeOptions {
        self.settings.keep_alive = keep_alive;
        self
    }

    /// Asks clients of HTTP/2 for a sign of life when there has been none for `interval`, and
    /// gives up those that give none within `timeout`. `None` for never.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tokio_ctx::tower::serve::ServeOptions;
    /// let options = ServeOptions::new().http2_pings((Duration::from_secs(9), Duration::from_secs(3)));
    /// assert!(format!("{options:?}").contains("http2_pings: Some((9s, 3s))"));
    /// ```
    #[cfg(feature = "axum")]
    pub fn http2_pings(
        mut self,
        interval_and_timeout: impl Into<Option<(Duration, Duration)>>,
    ) -> ServeOptions {
        self.settings.http2_pings = interval_and_timeout.into();
        self
    }

    /// Runs a server of another crate, and stops it in the same order.
    ///
    /// `server` gets the [`Spawner`] whose context is the one for
    /// [`ContextLayer`](crate::ContextLayer), and the future that tells the server to stop; it
    /// returns the server. What a server of another crate has spawned outside of the scope
    /// cannot be aborted: if it has not ended after the grace, the report is not
    /// [clean](ServeReport::is_clean), and it goes on until its runtime ends.
    ///
    /// # Errors
    ///
    /// Those of the server, if it ends with one.
    ///
    /// # Cancel safety
    ///
    /// Dropped, the server is dropped, and the tasks of the scope are joined by the scope
    /// around `ctx`, or by [`spawn_scoped::root`].
    ///
    /// # Examples
    ///
    /// ```
    /// use axum::{Router, routing::get};
    /// use tokio::net::TcpListener;
    /// use tokio_ctx::Context;
    /// use tokio_ctx::tower::{ContextLayer, serve::ServeOptions};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// let ctx = Context::background().with_cancel();
    /// # ctx.cancel();
    /// let report = ServeOptions::new()
    ///     .run(&ctx, |server, stop| {
    ///         let requests = ContextLayer::new(server.context());
    ///         let app = Router::new().route("/", get(async || "hello")).layer(requests);
    ///         axum::serve(listener, app).with_graceful_shutdown(stop)
    ///     })
    ///     .await?;
    /// assert!(report.is_clean());
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn run<R, E, F>(
        self,
        ctx: &Context,
        server: F,
    ) -> impl Future<Output = Result<ServeReport, E>>
    where
        F: FnOnce(&Spawner, Pin<Box<dyn Future<Output = ()> + Send>>) -> R,
        R: IntoFuture<Output = Result<(), E>, IntoFuture: Send + 'static>,
        E: 'static,
    {
        let location = Location::caller();
        async move {
            let linger = self.settings.linger;
            let server = move |tasks: Spawner, stop: Context| {
                let stop = Box::pin(async move {
                    stop.done().await;
                    sleep(linger).await;
                });
                // In a box, or else the type of a server with bounds for all lifetimes would
                // keep the whole future from being `Send` in its caller's eyes.
                let server = server(&tasks, stop).into_future();
                Box::pin(server) as Pin<Box<dyn Future<Output = Result<(), E>> + Send>>
            };
            let (output, mut report) =
                order::run(ctx, &self.settings, location, server, || {}).await;
            match output {
                Some(result) => result.map(|()| report),
                None => {
                    report.has_left_server = true;
                    Ok(report)
                }
            }
        }
    }
}
