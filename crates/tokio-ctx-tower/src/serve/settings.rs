//! What can be set about a server, and what holds unless it is.

use std::time::Duration;

/// See [`ServeOptions`](super::ServeOptions), where each has its setter and its documentation.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) linger: Duration,
    pub(super) drain: Duration,
    pub(super) grace: Duration,
    #[cfg(feature = "axum")]
    pub(super) head_timeout: Option<Duration>,
    #[cfg(feature = "axum")]
    pub(super) idle_timeout: Option<Duration>,
    #[cfg(feature = "axum")]
    pub(super) body_timeout: Option<Duration>,
    #[cfg(feature = "axum")]
    pub(super) write_timeout: Option<Duration>,
    #[cfg(feature = "axum")]
    pub(super) keep_alive: bool,
    #[cfg(feature = "axum")]
    pub(super) http2_pings: Option<(Duration, Duration)>,
    #[cfg(feature = "axum")]
    pub(super) max_age: Option<Duration>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            linger: Duration::ZERO,
            drain: Duration::from_secs(20),
            grace: Duration::from_secs(5),
            #[cfg(feature = "axum")]
            head_timeout: Some(Duration::from_secs(30)),
            // Longer than the minute after which load balancers close theirs, so that they do
            // not send a request into a connection that is being closed.
            #[cfg(feature = "axum")]
            idle_timeout: Some(Duration::from_secs(75)),
            #[cfg(feature = "axum")]
            body_timeout: Some(Duration::from_secs(60)),
            #[cfg(feature = "axum")]
            write_timeout: Some(Duration::from_secs(60)),
            #[cfg(feature = "axum")]
            keep_alive: true,
            #[cfg(feature = "axum")]
            http2_pings: Some((Duration::from_secs(60), Duration::from_secs(20))),
            #[cfg(feature = "axum")]
            max_age: None,
        }
    }
}

#[cfg(feature = "axum")]
impl Settings {
    /// How often it is looked whether a limit of an idle connection has passed.
    pub(super) fn shortest(&self) -> Option<Duration> {
        let limits = [self.head_timeout, self.idle_timeout, self.max_age];
        limits.into_iter().flatten().min()
    }
}
