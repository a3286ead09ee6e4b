//! tokio's clock as whole nanoseconds since a moment before the process started.
//!
//! One `u64` orders deadlines, fits in a node, and goes back to the very instant it was made
//! from. tokio's clock and not std's, so that a paused runtime decides what time it is.

use std::sync::LazyLock;
use std::time::{Duration, Instant as StdInstant};

use tokio::time::Instant;

/// No deadline.
pub(crate) const NEVER: u64 = u64::MAX;

const DAY: u64 = 24 * 60 * 60;

// Instants before the base cannot be told apart, so it lies as far back as the platform can
// express: an instant of last week is then still a deadline that answers as it was given.
static BASE: LazyLock<StdInstant> = LazyLock::new(|| {
    let now = StdInstant::now();
    [365 * DAY, 30 * DAY, DAY, 60 * 60, 60]
        .into_iter()
        .find_map(|secs| now.checked_sub(Duration::from_secs(secs)))
        .unwrap_or(now)
});

#[cfg(any(loom, shuttle))]
pub(crate) use super::modelled::timer::now;

/// What the clock of the current runtime says, or the system's outside of one.
#[cfg(not(any(loom, shuttle)))]
pub(crate) fn now() -> u64 {
    nanos_of(Instant::now())
}

/// The nanoseconds at which `at` lies; [`NEVER`] if that is too far ahead, 580 years or so.
pub(crate) fn nanos_of(at: Instant) -> u64 {
    let since = at.into_std().saturating_duration_since(*BASE);
    u64::try_from(since.as_nanos()).unwrap_or(NEVER)
}

/// `after` later than `at`; [`NEVER`] if that is too far ahead.
pub(crate) fn later(at: u64, after: Duration) -> u64 {
    let after = u64::try_from(after.as_nanos()).unwrap_or(NEVER);
    at.saturating_add(after)
}

/// The instant at `nanos`.
pub(crate) fn instant_of(nanos: u64) -> Instant {
    Instant::from_std(*BASE + Duration::from_nanos(nanos))
}
