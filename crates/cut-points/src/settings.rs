//! What can be set for a test.

use std::time::Duration;

#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Polls of spawned tasks are points.
    pub(crate) steps: bool,
    /// Awaits that are ready at once are points.
    pub(crate) ready: bool,
    pub(crate) real_time: bool,
    /// How long silence must last before nothing more is expected from outside.
    pub(crate) quiet: Duration,
    /// What leftovers may take after a cut.
    pub(crate) settle: Duration,
    /// What a call, a check or the making of a world may take.
    pub(crate) limit: Duration,
    /// What a cancelled call may take.
    pub(crate) grace: Duration,
    /// Call again after each cut.
    pub(crate) again: bool,
    /// Tasks may outlive the call.
    pub(crate) tasks: bool,
    pub(crate) most_points: u64,
    pub(crate) seed: Option<u64>,
    pub(crate) only: Option<u64>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            steps: true,
            ready: true,
            real_time: false,
            quiet: Duration::ZERO,
            settle: Duration::ZERO,
            limit: Duration::from_secs(3600),
            grace: Duration::from_secs(1),
            again: true,
            tasks: false,
            most_points: 1000,
            seed: None,
            only: None,
        }
    }
}

impl Settings {
    pub(crate) fn real_time(&mut self) {
        self.real_time = true;
        self.quiet = Duration::from_millis(20);
        self.limit = Duration::from_secs(10);
        self.grace = Duration::from_secs(2);
    }
}
