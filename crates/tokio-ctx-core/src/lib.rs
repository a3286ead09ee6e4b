//! Go's `context` for tokio: who is this work for, when must it stop, and why did it?
//!
//! A [`Context`] is the first parameter of everything that works for one request or one job.
//! Contexts form a tree: cancelling one cancels everything derived from it. A context says why
//! and where it ended, has a deadline without a timer, and carries a few typed values.
//!
//! ```
//! use std::time::Duration;
//! use tokio_ctx::{Cancelled, Context, key};
//!
//! key! {
//!     /// Ties the log lines of one request together.
//!     pub TraceId: String, print;
//! }
//!
//! async fn report(ctx: &Context) -> Result<String, Cancelled> {
//!     let rows = ctx.run(query(ctx)).await?;
//!     Ok(format!("{rows} rows for {}", ctx.value::<TraceId>().map_or("?", String::as_str)))
//! }
//! # async fn query(_: &Context) -> u32 { 3 }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let request = Context::background()
//!     .with_value::<TraceId>("4bf92f".into())
//!     .with_timeout(Duration::from_secs(2))
//!     .with_cancel();
//!
//! assert_eq!(report(&request).await.unwrap(), "3 rows for 4bf92f");
//!
//! request.cancel_with("the client hung up");
//! let why = report(&request).await.unwrap_err().to_string();
//! assert!(why.starts_with("cancelled: the client hung up (at "));
//! # }
//! ```
//!
#![doc = include_str!("docs/cancel.svg")]
//!
//! # Where to look
//!
//! | to | use |
//! |---|---|
//! | create a root | [`Context::background`], [`Context::todo`], [`Context::from_token`] |
//! | cancel | [`with_cancel`](Context::with_cancel), [`CancelGuard`], [`CancelHandle`] |
//! | limit time | [`with_timeout`](Context::with_timeout), [`with_deadline`](Context::with_deadline), [`Budget`] |
//! | notice the end | [`done`](Context::done), [`run`](Context::run), [`check`](Context::check), [`is_done`](Context::is_done), [`on_cancel`](Context::on_cancel) |
//! | learn why | [`err`](Context::err), [`Cancelled`], [`Reason`] |
//! | carry values | [`key!`], [`with_value`](Context::with_value), [`value`](Context::value) |
//! | outlive a request | [`detach_onto`](Context::detach_onto), [`without_cancel`](Context::without_cancel) |
//! | stop what runs at a server | [`interrupt`] |
//! | end with the first of two | [`merge`](Context::merge) |
//! | work with `CancellationToken` | [`token`](Context::token), [`Context::from_token`] |
//!
//! # When not
//!
//! - For tasks that must be waited for, use the crate `spawn_scoped`: a context says when to
//!   stop, a scope waits until everything has.
//! - For one flag that stops a whole program, tokio-util's `CancellationToken` is enough.
//! - Pools, clients and loggers do not belong in a context: they are parameters.
//!
//! There is no ambient "current" context: a function takes what it needs as parameters.
//!
//! # How it is checked
//!
//! Our protocols are model-checked under loom, with a stand-in for tokio-util's
//! `CancellationToken`. Under `--cfg loom` the types of this crate work in models of your own
//! code. `unsafe` is forbidden.
//!
//! # Features
//!
//! None is on by default.
//!
//! - `axum-core-05`: `ctx: Context` as an extractor of axum 0.8.
//! - `signal`: contexts that end on Ctrl-C or SIGTERM; for `main`.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(any(
    all(loom, not(feature = "loom")),
    all(shuttle, not(feature = "shuttle"))
))]
compile_error!(
    "this build has `--cfg loom` or `--cfg shuttle`: enable the feature of the same name in \
     your dependency on tokio-ctx, under `[target.'cfg(loom)'.dependencies]`"
);

#[cfg(feature = "axum-core-05")]
pub mod axum_core_05;
mod budget;
mod cancelled;
mod context;
mod foreign;
pub mod future;
mod guard;
pub mod interrupt;
mod key;
mod lineage;
#[cfg(any(loom, shuttle))]
pub mod model;
mod node;
mod on_cancel;
mod one_line;
pub mod owner;
#[cfg(all(feature = "signal", any(unix, windows), not(any(loom, shuttle))))]
mod signal;
#[cfg(not(feature = "signal"))]
mod signal_off;
mod sync;
mod value;
mod word;

pub use budget::Budget;
pub use cancelled::{Cancelled, Reason};
pub use context::Context;
pub use guard::{CancelGuard, CancelHandle};
pub use key::Key;
pub use on_cancel::OnCancel;
pub use sync::CancellationToken;
