//! Work on databases, against real servers; test names are the promises' words.

#[cfg(feature = "deadpool-postgres-0_14")]
mod postgres;
#[cfg(feature = "rusqlite-0_41")]
mod sqlite;
#[cfg(feature = "sqlx-postgres-0_9")]
mod sqlx;
