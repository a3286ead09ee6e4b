//! What a program is running, and why it does not stop: scopes, tasks, requests and queries as
//! text, JSON and a page.
//!
//! [`View`] is a tower service. Serve it on a separate port:
//!
//! ```no_run
//! use axum::Router;
//! use tokio_ctx::{Context, tower::serve, view::View};
//!
//! # async fn example(server: Context) -> std::io::Result<()> {
//! let debug = Router::new().route_service("/debug/ctx", View::new(&server));
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:6060").await?;
//! serve(&server, listener, |_| debug).await;
//! # Ok(())
//! # }
//! ```
//!
//! | request | answer |
//! |---|---|
//! | `curl localhost:6060/debug/ctx` | text: first what ended and still runs, then the tree |
//! | `curl localhost:6060/debug/ctx?watch` | the same text again and again |
//! | `curl localhost:6060/debug/ctx?json` | JSON |
//! | a browser | a page that updates itself |
//!
//! # Why a separate port
//!
//! The view is read-only, prints no value whose key did not opt in, and answers only if the
//! `Host` of the request is a loopback address or was allowed, which stops DNS rebinding. But it
//! shows names, lines of source and causes: bind it to loopback, and reach it through a tunnel.
//!
//! # What it costs
//!
//! Nothing until a `View` is created. From then on each request and query is recorded when it
//! begins and removed when it ends. A snapshot is taken only on request, and requests within a
//! quarter of a second share one. A viewer who does not read is sent nothing more, and is closed
//! by the server's [write timeout](https://docs.rs/tokio-ctx-tower).
//!
//! # What it cannot see
//!
//! Contexts without a scope are not listed, since a context keeps no list of its children.
//! Tasks of plain `tokio::spawn` are tokio's: tokio-console shows those.

mod body;
mod dump;
mod host;
mod look;
mod page;
mod report;
mod service;
mod text;

pub use body::ViewBody;
#[cfg(all(feature = "signal", unix))]
pub use dump::dump_on_signal;
pub use dump::{assert_nothing_runs, dump};
pub use service::View;
