//! Servers that stop in order: [`serve`](serve()) for what is written for axum or hyper, and
//! [`ServeOptions::run`] around a server of another crate.
//!
//! When the context of the server ends,
//!
//! 1. no connection is accepted any more, idle ones are closed, and each further response asks
//!    its client to close;
//! 2. requests, and what handlers left in the server's scope, go on undisturbed for at most the
//!    [drain](ServeOptions::drain), 20 s unless set;
//! 3. their contexts end, with what ended the server's;
//! 4. what still runs after the [grace](ServeOptions::grace), 5 s unless set, is aborted, and
//!    the [report](ServeReport) says what that was.
//!
//! They are the drain and the grace of the server's [scope](spawn_scoped::ScopeOptions), and set
//! here alone: what takes work in has a drain, and the scopes around it have none.
//!
//! Both together are less than the 30 seconds that Kubernetes allows. There, a pod still gets
//! connections for a moment after its SIGTERM: [`linger`](ServeOptions::linger) goes on
//! accepting for so long, while the readiness probe already fails.
//!
//! ```no_run
//! use std::time::Duration;
//! use axum::{Router, http::StatusCode, routing::get};
//! use tokio::net::TcpListener;
//! use tokio_ctx::Context;
//! use tokio_ctx::tower::{ContextLayer, serve::ServeOptions};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let ctx = Context::background().with_cancel(); // with_signals(), for SIGTERM
//! let probed = ctx.clone();
//! let ready = get(async move || match probed.is_done() {
//!     false => StatusCode::OK,
//!     true => StatusCode::SERVICE_UNAVAILABLE,
//! });
//! let listener = TcpListener::bind("0.0.0.0:8080").await?;
//! let options = ServeOptions::new().linger(Duration::from_secs(5));
//! let report = options.serve(&ctx, listener, |server| {
//!     let requests = ContextLayer::new(server.context());
//!     Router::new().route("/ready", ready).layer(requests)
//! });
//! println!("{}", report.await);
//! # Ok(())
//! # }
//! ```

#[cfg(feature = "axum")]
mod connection;
#[cfg(feature = "axum")]
mod io;
#[cfg(feature = "axum")]
mod listen;
#[cfg(not(feature = "axum"))]
mod listen_off;
mod options;
mod order;
mod report;
#[cfg(feature = "axum")]
mod request;
mod settings;
#[cfg(feature = "axum")]
mod state;
#[cfg(feature = "axum")]
mod tasks;
#[cfg(feature = "axum")]
mod upgrade;
#[cfg(feature = "axum")]
mod upload;
#[cfg(feature = "axum")]
mod watch;

#[cfg(feature = "axum")]
pub use self::listen::serve;
#[cfg(not(feature = "axum"))]
pub use self::listen_off::serve;
pub use self::options::ServeOptions;
pub use self::report::ServeReport;
#[cfg(feature = "axum")]
pub use self::upgrade::Upgrade;
