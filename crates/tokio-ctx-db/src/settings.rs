//! How long a connection may take to become clean, and how many cancels the server gets.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;
use tokio_ctx_core::Context;

/// How long a connection may take to become clean, and how many cancels the server gets.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tokio_ctx_db::Settings;
///
/// let settings = Settings::default().grace(Duration::from_secs(1)).cancels_at_once(2);
/// assert!(format!("{settings:?}").contains("grace: 1s"));
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Settings {
    pub(crate) grace: Duration,
    pub(crate) attempt: Duration,
    pub(crate) at_once: usize,
    pub(crate) per_second: u32,
}

/// A grace of 2 s, a second for each cancel, four cancels at once, 400 a second.
impl Default for Settings {
    fn default() -> Settings {
        Settings {
            grace: Duration::from_secs(2),
            attempt: Duration::from_secs(1),
            at_once: 4,
            per_second: 400,
        }
    }
}

impl Settings {
    /// How long a connection may take to become clean after its context has ended; then it is
    /// closed. The caller waits at most that long.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tokio_ctx_db::Settings;
    ///
    /// let settings = Settings::default().grace(Duration::from_secs(1));
    /// assert!(format!("{settings:?}").contains("grace: 1s"));
    /// ```
    pub fn grace(mut self, grace: Duration) -> Settings {
        self.grace = grace;
        self
    }

    /// How long one cancel may take, from its connection to the server's answer.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tokio_ctx_db::Settings;
    ///
    /// let settings = Settings::default().cancel_timeout(Duration::from_secs(3));
    /// assert!(format!("{settings:?}").contains("attempt: 3s"));
    /// ```
    pub fn cancel_timeout(mut self, attempt: Duration) -> Settings {
        self.attempt = attempt;
        self
    }

    /// How many cancels may be under way at once; at least one.
    ///
    /// Each is a connection of its own, and a process at a PostgreSQL server: a storm of deadlines
    /// must not become a storm of those.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx_db::Settings;
    ///
    /// let settings = Settings::default().cancels_at_once(2);
    /// assert!(format!("{settings:?}").contains("at_once: 2"));
    /// ```
    pub fn cancels_at_once(mut self, at_once: usize) -> Settings {
        self.at_once = at_once.clamp(1, Semaphore::MAX_PERMITS);
        self
    }

    /// How many cancels may begin in a second; at least one.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx_db::Settings;
    ///
    /// let settings = Settings::default().cancels_per_second(50);
    /// assert!(format!("{settings:?}").contains("per_second: 50"));
    /// ```
    pub fn cancels_per_second(mut self, per_second: u32) -> Settings {
        self.per_second = per_second.max(1);
        self
    }
}

/// The queue of those that want to send a cancel.
#[derive(Debug)]
pub(crate) struct Turnstile {
    places: Semaphore,
    /// When the next one may begin.
    next: Mutex<Option<Instant>>,
    apart: Duration,
}

impl Turnstile {
    pub(crate) fn new(settings: &Settings) -> Turnstile {
        Turnstile {
            places: Semaphore::new(settings.at_once),
            next: Mutex::new(None),
            apart: Duration::from_secs(1) / settings.per_second,
        }
    }

    /// Waits for its turn; the permit is held while the cancel is under way.
    pub(crate) async fn enter(&self) -> Option<SemaphorePermit<'_>> {
        let permit = self.places.acquire().await.ok();
        let turn = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            let turn = next.map_or(now, |next| next.max(now));
            *next = Some(turn + self.apart);
            turn
        };
        let _ = Context::background().with_deadline(turn).done().await;
        permit
    }
}
