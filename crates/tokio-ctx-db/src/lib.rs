//! Queries that stop at the server when their context ends.
//!
//! Dropping a future stops what this process does. The query at the server runs on, keeps its
//! locks, and its connection goes back to the pool in the middle of it, to the harm of whoever is
//! next. This crate stops the query as well, and gives a connection back only once it is clean and
//! no cancel is under way that could hit somebody else.
//!
//! Go has this in `database/sql`: `QueryContext` and its drivers.
//!
//! # What it does
//!
//! - The end of the context cancels at the server, and the caller is answered when the work there
//!   has stopped, or after a grace: a connection that does not get clean is closed.
//! - A future that is dropped (a client hung up, another branch of `select!` won) gets the same,
//!   in the background.
//! - A COMMIT is never cut.
//! - What the work itself returns is given back as it is; [`Error`] is only what this crate adds.
//!
//! # What it does not
//!
//! - A `timeout` **inside** of the closure that drops a query and then returns is not seen: give
//!   the work a context with that timeout instead.
//! - A connection that is taken from the driver's own pool is under no context.
//!
//! # Features
//!
//! One for each driver, named after its version, since its types are in this crate's own.
//!
//! - `deadpool-postgres-0_14`: the module [`postgres`].
//! - `rusqlite-0_41`: the module [`sqlite`]; needs Rust 1.89.
//! - `sqlx-postgres-0_9`: the module [`sqlx_postgres`]; needs Rust 1.94.

#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(any(feature = "deadpool-postgres-0_14", feature = "sqlx-postgres-0_9"))]
mod counts;
mod error;
#[cfg(any(feature = "deadpool-postgres-0_14", feature = "sqlx-postgres-0_9"))]
mod kernel;
#[cfg(feature = "deadpool-postgres-0_14")]
pub mod postgres;
#[cfg(any(feature = "deadpool-postgres-0_14", feature = "sqlx-postgres-0_9"))]
mod settings;
#[cfg(feature = "rusqlite-0_41")]
pub mod sqlite;
#[cfg(feature = "sqlx-postgres-0_9")]
pub mod sqlx_postgres;

#[cfg(any(feature = "deadpool-postgres-0_14", feature = "sqlx-postgres-0_9"))]
pub use counts::Counts;
pub use error::Error;
#[cfg(any(feature = "deadpool-postgres-0_14", feature = "sqlx-postgres-0_9"))]
pub use settings::Settings;

/// The example of the README is one of this crate's documentation tests.
#[cfg(all(doctest, feature = "deadpool-postgres-0_14"))]
#[doc = include_str!("../README.md")]
struct Readme;
