//! A [`Context`](tokio_ctx_core::Context) for each request of a tower, axum or tonic service: a
//! deadline or a hang-up at the edge stops the work, in the services behind it too.
//!
//! ```
//! # #[cfg(feature = "axum")] {
//! use std::time::Duration;
//! use axum::{Router, routing::get};
//! use tokio_ctx::{Context, scope};
//! use tokio_ctx::tower::{ContextError, ContextLayer};
//!
//! async fn report(ctx: Context) -> Result<String, ContextError> {
//!     let (users, orders) = scope(&ctx, async |s| {
//!         let users = s.spawn(async |ctx| count(&ctx, "users").await);
//!         let orders = s.spawn(async |ctx| count(&ctx, "orders").await);
//!         Ok::<_, ContextError>((users.await?, orders.await?))
//!     })
//!     .await?; // the client left: both are stopped; the deadline passed: a 504
//!     Ok(format!("{users} users, {orders} orders"))
//! }
//! # async fn count(ctx: &Context, table: &str) -> Result<usize, ContextError> {
//! #     ctx.check()?;
//! #     Ok(table.len())
//! # }
//!
//! let server = Context::background().with_cancel(); // ends with SIGTERM, say
//! let app: Router = Router::new().route("/report", get(report)).layer(
//!     ContextLayer::new(&server)
//!         .default_timeout(Duration::from_secs(5)) // if no `grpc-timeout` says otherwise
//!         .max_timeout(Duration::from_secs(30)) // whatever `grpc-timeout` says
//!         .trace_context(), // read from its headers; nothing else is
//! );
//! # let _ = app;
//! # }
//! ```
//!
#![doc = include_str!("docs/request.svg")]
//!
//! # Where to look
//!
//! | to | use |
//! |---|---|
//! | give each request a context | [`ContextLayer`] |
//! | pass it on to another service | [`propagate`] |
//! | pass it on in a message or a job | [`headers::Carrier`] |
//! | read a key from a header, and send it | [`headers`] |
//! | answer when the context has ended | [`ContextError`] |
//! | join what a handler spawns | [`spawn_scoped::scope`], [`request_scope`] |
//! | serve, and stop in order | [`serve`](mod@serve) |
//! | write handlers of axum | the module `axum` |
//! | write handlers of tonic | the module `tonic` |
//! | call with reqwest | the module `reqwest` |
//!
//! # How a request ends
//!
//! A server drops the future of a response, or its body, when the client closes its connection
//! or resets its stream. Both own the guard of the request's context, so everything derived from
//! the context ends at once with [`CallerGone`](tokio_ctx_core::Reason::CallerGone): tasks,
//! queries, calls to other services. Dropping a handler alone stops no task that it spawned.
//!
//! This crate sees only what the server sees: HTTP/1 takes a client that half-closes for one
//! that is gone, and a client whose network is unplugged seems present until a timeout. That is
//! what deadlines are for.
//!
//! # What a client can do
//!
//! A client can shorten its deadline, and lengthen it up to
//! [`max_timeout`](ContextLayer::max_timeout). It can set the keys that are listed, and no
//! others. No header fails a request, and no header's value is printed unless its key allows it.
//!
//! # Features
//!
//! None is on by default.
//!
//! - `axum`: extractors, errors as responses, and a server that stops in order. When you want
//!   this: your service is an axum one, or speaks HTTP through hyper.
//! - `tonic`: errors as statuses, and the context of a `tonic::Request`. When you want this:
//!   your service or your client is a tonic one.
//! - `reqwest`: requests of reqwest, head and body, under a context. When you want this: your
//!   client is reqwest.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "axum")]
pub mod axum;
pub mod context;
mod error;
mod extent;
pub mod headers;
pub mod propagate;
mod protocol;
pub mod request_scope;
#[cfg(feature = "reqwest")]
pub mod reqwest;
pub mod serve;
#[cfg(feature = "tonic")]
pub mod tonic;

pub use context::layer::ContextLayer;
pub use error::ContextError;
pub use serve::serve;
