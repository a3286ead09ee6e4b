//! Queries that stop at the server when their context ends.
//!
//! Dropping a future stops only this process. The query runs on at the server and keeps its
//! locks, and its connection goes back to the pool in the middle of it, to the harm of its next
//! user. This crate stops the query too, and returns a connection only once it is clean and no
//! cancel is under way that could hit another query.
//!
//! Go has this in `database/sql`: `QueryContext` and its drivers.
//!
//! ```
//! # #[cfg(feature = "rusqlite-0_41")] {
//! use std::time::Duration;
//! use rusqlite::Connection;
//! use tokio_ctx::{Context, db::sqlite};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut db = Connection::open_in_memory()?;
//! let ctx = Context::background().with_timeout(Duration::from_millis(50));
//! let endless = "with recursive n(i) as (select 1 union all select i + 1 from n) select max(i) from n";
//! let stopped = sqlite::under(&ctx, &mut db, |db| db.query_row(endless, [], |row| row.get::<_, i64>(0)));
//! assert!(stopped.unwrap_err().cancelled().unwrap().is_timeout());
//!
//! // The connection is clean, and its next user has it to itself.
//! let ctx = Context::background();
//! let sum = sqlite::under(&ctx, &mut db, |db| db.query_row("select 1 + 1", [], |row| row.get::<_, i64>(0)));
//! assert_eq!(sum??, 2);
//! # Ok(())
//! # }
//! # main().unwrap();
//! # }
//! ```
//!
//! With PostgreSQL the work is async, on a pool that looks after its connections:
//!
//! ```no_run
//! # #[cfg(feature = "deadpool-postgres-0_14")] {
//! use tokio_ctx::{Context, db::postgres::Pool};
//!
//! # type Error = Box<dyn std::error::Error>;
//! async fn report(ctx: &Context, pool: &Pool, id: i64) -> Result<i64, Error> {
//!     let mut db = pool.get(ctx).await?;
//!     let sql = "select total from slow_report($1)";
//!     Ok(db.under(ctx, async |c| c.query_one(sql, &[&id]).await).await??.get(0))
//! }
//! # }
//! ```
//!
//! # What it does
//!
//! - When the context ends, the query is cancelled at the server, and the call returns once it has
//!   stopped there, or after a grace period: a connection that is not clean by then is closed.
//! - When the future is dropped (a client hung up, another branch of `select!` won), the same
//!   happens in the background.
//! - A COMMIT is never interrupted.
//! - The output of the work is returned unchanged; [`Error`] covers only what this crate adds.
//!
//! # What it does not do
//!
//! - It does not see a `timeout` **inside** the closure that drops a query: derive a context with
//!   that timeout instead.
//! - It does not cover connections that are taken from the driver's own pool.
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
