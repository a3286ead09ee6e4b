//! The socket that a cancel goes through.

use std::io;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio::sync::oneshot;

/// The stream that a cancel is sent through, for a TLS connector to wrap.
///
/// The driver drops the stream once the request is written, which says nothing about the server.
/// So this one gives its socket back when it is dropped, and does not shut it down: the socket is
/// then read until the server closes it.
///
/// # Examples
///
/// A connector for [`Pool::new`](super::Pool::new) is one that takes any stream, or this one:
///
/// ```
/// use tokio_ctx_db::postgres::CancelStream;
/// use tokio_postgres::tls::{MakeTlsConnect, NoTls};
///
/// fn takes_cancels(_: impl MakeTlsConnect<CancelStream>) {}
/// takes_cancels(NoTls);
/// ```
#[derive(Debug)]
pub struct CancelStream {
    socket: Option<Socket>,
    give_back: Option<oneshot::Sender<Socket>>,
}

#[derive(Debug)]
pub(super) enum Socket {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

impl CancelStream {
    pub(super) fn new(socket: Socket) -> (CancelStream, oneshot::Receiver<Socket>) {
        let (give_back, back) = oneshot::channel();
        let stream = CancelStream {
            socket: Some(socket),
            give_back: Some(give_back),
        };
        (stream, back)
    }

    fn socket(&mut self) -> io::Result<&mut Socket> {
        self.socket
            .as_mut()
            .ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl Drop for CancelStream {
    fn drop(&mut self) {
        if let (Some(socket), Some(give_back)) = (self.socket.take(), self.give_back.take()) {
            let _ = give_back.send(socket);
        }
    }
}

impl Socket {
    /// Waits until the server has closed it; an error is as good, since nothing comes after it.
    pub(super) async fn closed(mut self) {
        let mut buffer = [0; 256];
        while matches!(self.read(&mut buffer).await, Ok(1..)) {}
    }
}

impl AsyncRead for CancelStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(self.socket()?).poll_read(cx, buffer)
    }
}

impl AsyncWrite for CancelStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.socket()? {
            Socket::Tcp(socket) => Pin::new(socket).poll_write(cx, bytes),
            #[cfg(unix)]
            Socket::Unix(socket) => Pin::new(socket).poll_write(cx, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        match self.socket()? {
            Socket::Tcp(socket) => Pin::new(socket).poll_flush(cx),
            #[cfg(unix)]
            Socket::Unix(socket) => Pin::new(socket).poll_flush(cx),
        }
    }

    /// Rule 5 of the kernel: nothing is shut down.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Socket::Tcp(socket) => Pin::new(socket).poll_read(cx, buffer),
            #[cfg(unix)]
            Socket::Unix(socket) => Pin::new(socket).poll_read(cx, buffer),
        }
    }
}
