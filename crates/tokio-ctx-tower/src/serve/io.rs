//! The socket of one connection, as its task sees it: [`Io`].

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;
use tokio::time::{Instant, Sleep, sleep_until};

use super::state::{Side, State};

/// A socket that notes when a head begins, fails a write that the client does not read, and
/// can be cut after an upgrade, when its connection's task no longer owns it.
pub(super) struct Io<I> {
    inner: I,
    state: Arc<State>,
    write_timeout: Option<Duration>,
    /// Runs while a write waits for the client.
    stalled: Option<Pin<Box<Sleep>>>,
    /// Dropped with the socket, which is how the connection's task learns of that.
    _open: oneshot::Sender<()>,
}

impl<I> Io<I> {
    pub(super) fn new(
        inner: I,
        state: Arc<State>,
        write_timeout: Option<Duration>,
        open: oneshot::Sender<()>,
    ) -> Io<I> {
        Io {
            inner,
            state,
            write_timeout,
            stalled: None,
            _open: open,
        }
    }

    /// Ends the wait of a write that made progress, and bounds the wait of one that did not.
    fn written<T>(
        &mut self,
        cx: &mut TaskContext<'_>,
        polled: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        self.state.blocked(polled.is_pending());
        if polled.is_ready() {
            self.stalled = None;
            return polled;
        }
        if self.state.is_cut(Side::Write, cx) {
            return Poll::Ready(Err(cut()));
        }
        let Some(limit) = self.write_timeout else {
            return Poll::Pending;
        };
        let stalled = self
            .stalled
            .get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + limit)));
        match stalled.as_mut().poll(cx) {
            Poll::Ready(()) => {
                let error = io::Error::new(
                    io::ErrorKind::TimedOut,
                    "the client does not read its response",
                );
                Poll::Ready(Err(error))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

fn cut() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "the server has stopped")
}

impl<I: AsyncRead + Unpin> AsyncRead for Io<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(cx, buf);
        match polled {
            Poll::Ready(Ok(())) => self.state.received(&buf.filled()[before..]),
            Poll::Ready(Err(_)) => {}
            Poll::Pending if self.state.is_cut(Side::Read, cx) => return Poll::Ready(Err(cut())),
            Poll::Pending => {}
        }
        polled
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Io<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.written(cx, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        self.written(cx, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.inner).poll_flush(cx);
        self.written(cx, polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.inner).poll_shutdown(cx);
        self.written(cx, polled)
    }
}
