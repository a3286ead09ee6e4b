//! For axum: extractors, [`ContextError`](crate::ContextError) as a response; feature `axum`.
//! The server is in [`serve`](mod@crate::serve).
//!
//! ```
//! use axum::{Router, routing::get};
//! use tokio_ctx::tower::{ContextError, ContextLayer};
//! use tokio_ctx::tower::headers::TraceContext;
//! use tokio_ctx::Context;
//!
//! async fn report(ctx: Context) -> Result<String, ContextError> {
//!     let rows = ctx.run(query()).await?; // a 504 if that is too late
//!     let is_traced = ctx.value::<TraceContext>().is_some();
//!     Ok(format!("{rows} rows, traced: {is_traced}"))
//! }
//! # async fn query() -> u32 { 3 }
//!
//! let server = Context::background().with_cancel();
//! let app: Router = Router::new()
//!     .route("/report", get(report))
//!     .layer(ContextLayer::new(&server).trace_context());
//! # let _ = app;
//! ```
//!
//! A stream ends with the request's context by itself, with an error that the client can see:
//! see [`ContextLayer`](crate::ContextLayer). One that shall end quietly says so:
//!
//! ```
//! use axum::body::Body;
//! use futures_util::StreamExt as _;
//! use tokio_ctx::Context;
//!
//! fn ticks(ctx: &Context) -> Body {
//!     let ticks = futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>("tick\n"));
//!     Body::from_stream(ticks.take_until(ctx.done_owned()))
//! }
//! # let _ = ticks(&Context::background());
//! ```

mod around;
mod extract;
mod response;

pub use self::around::around;
pub(crate) use self::extract::refusal;
