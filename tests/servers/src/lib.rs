//! Database servers for tests, examples and `xtask`.
//!
//! Each is started from what the machine has installed (Debian: `apt-get install postgresql
//! pgbouncer redis-server mariadb-server`), on a free port of the loopback interface, in a directory
//! of its own, and is stopped when its value is dropped or the process that started it ends, however
//! that ends.

mod mariadb;
mod pgbouncer;
mod postgres;
mod redis;
mod supervised;

pub use mariadb::MariaDb;
pub use pgbouncer::PgBouncer;
pub use postgres::{Options, Postgres};
pub use redis::Redis;
pub use supervised::Missing;

/// Set it to any value to turn a server that cannot be started from a reason to skip into a
/// failure: machines that must run everything do.
pub const REQUIRED: &str = "TOKIO_CTX_SERVERS_REQUIRED";

/// The server, or `None` after a line that says why it is left out.
///
/// # Panics
///
/// When it cannot be started, and [`REQUIRED`] is set.
#[must_use]
pub fn or_skip<S>(started: Result<S, Missing>) -> Option<S> {
    started
        .inspect_err(|missing| {
            let required = std::env::var_os(REQUIRED).is_some();
            assert!(!required, "{missing}, and {REQUIRED} is set");
            eprintln!("skipped: {missing}");
        })
        .ok()
}
