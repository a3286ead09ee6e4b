//! The task of one connection, from its first byte to its last: [`Connection`].

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use axum_core::body::Body;
use bytes::Bytes;
use http::{Request, Response};
use http_body::Body as HttpBody;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::oneshot;
use tokio_ctx_core::Context;
use tower_service::Service;

use super::io::Io;
use super::request::Requests;
use super::settings::Settings;
use super::state::State;
use super::tasks::Tasks;
use super::watch::{Next, Watch};
use crate::error::BoxError;

/// What a connection has to know of its server. All connections share one.
pub(super) struct Connection {
    pub(super) settings: Arc<Settings>,
    pub(super) tasks: Tasks,
    /// Ends when the server stops to accept.
    pub(super) stop: Context,
    /// Ends when the requests have been waited for.
    pub(super) requests: Context,
}

impl Connection {
    /// Serves `requests` on `io` until the client or the server has had enough.
    pub(super) async fn run<I, S, B>(
        self: Arc<Self>,
        io: I,
        state: Arc<State>,
        requests: Requests<S>,
    ) where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        S: Service<Request<Body>, Response = Response<B>, Error = Infallible>,
        S: Clone + Send + 'static,
        S::Future: Send,
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        // Dropped when this task ends or is aborted.
        let _cut = CutOnDrop(Arc::clone(&state));
        let (open, mut is_open) = oneshot::channel();
        let io = Io::new(io, Arc::clone(&state), self.settings.write_timeout, open);
        {
            let http = self.builder();
            let http = http.serve_connection_with_upgrades(TokioIo::new(io), requests);
            let mut http = pin!(http);
            let mut watch = pin!(Watch::new(
                &self.stop,
                &self.requests,
                &self.settings,
                &state,
            ));
            poll_fn(|cx| {
                loop {
                    if http.as_mut().poll(cx).is_ready() {
                        // Over a broken socket there is nothing to send.
                        return Poll::Ready(());
                    }
                    match watch.as_mut().poll_next(cx) {
                        Poll::Ready(Next::Finish) => http.as_mut().graceful_shutdown(),
                        Poll::Ready(Next::End) => return Poll::Ready(()),
                        Poll::Pending => return Poll::Pending,
                    }
                }
            })
            .await;
        }
        // The socket is with what followed the upgrade.
        if state.is_upgraded() && self.requests.run(&mut is_open).await.is_err() {
            state.cut();
            drop(is_open.await);
        }
    }

    fn builder(&self) -> auto::Builder<Tasks> {
        let settings = &self.settings;
        let mut http = auto::Builder::new(self.tasks.clone());
        // The head is timed by `Watch`, together with what hyper does not time.
        http.http1()
            .keep_alive(settings.keep_alive)
            .header_read_timeout(None);
        http.http2()
            .timer(TokioTimer::new())
            .enable_connect_protocol();
        if let Some((interval, timeout)) = settings.http2_pings {
            http.http2()
                .keep_alive_interval(interval)
                .keep_alive_timeout(timeout);
        }
        http
    }
}

/// Fails what reads and writes an upgraded socket.
struct CutOnDrop(Arc<State>);

impl Drop for CutOnDrop {
    fn drop(&mut self) {
        self.0.cut();
    }
}
