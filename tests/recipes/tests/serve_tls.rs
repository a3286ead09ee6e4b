//! A server that speaks TLS: `serve` takes any listener of axum, and this is one for rustls.
//!
//! The handshake is part of the connection, so a client that does not finish it keeps nobody else
//! waiting, and the server's limit for the head of a request ends it.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::get;
use axum::serve::Listener;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_ctx::tower::ContextLayer;
use tokio_ctx::tower::serve::ServeOptions;
use tokio_ctx::{Context, Spawner};
use tokio_rustls::server::TlsStream;
use tokio_rustls::{Accept, TlsAcceptor, TlsConnector};

// RECIPE
struct TlsListener {
    tcp: TcpListener,
    acceptor: TlsAcceptor,
}

impl Listener for TlsListener {
    type Io = Tls;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Tls, SocketAddr) {
        let (stream, peer) = Listener::accept(&mut self.tcp).await;
        (Tls::Accepting(self.acceptor.accept(stream)), peer)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}

/// A connection, whose handshake is part of its first read.
enum Tls {
    Accepting(Accept<TcpStream>),
    Open(TlsStream<TcpStream>),
}

impl Tls {
    fn poll_open(
        &mut self,
        cx: &mut TaskContext<'_>,
    ) -> Poll<io::Result<Pin<&mut TlsStream<TcpStream>>>> {
        if let Tls::Accepting(accept) = self {
            *self = Tls::Open(ready!(Pin::new(accept).poll(cx))?);
        }
        Poll::Ready(match self {
            Tls::Open(stream) => Ok(Pin::new(stream)),
            Tls::Accepting(_) => Err(io::ErrorKind::NotConnected.into()),
        })
    }
}

impl AsyncRead for Tls {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_open(cx))?.poll_read(cx, buffer)
    }
}

impl AsyncWrite for Tls {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_open(cx))?.poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Tls::Open(stream) => Pin::new(stream).poll_flush(cx),
            Tls::Accepting(_) => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Tls::Open(stream) => Pin::new(stream).poll_shutdown(cx),
            // Its drop closes the socket.
            Tls::Accepting(_) => Poll::Ready(Ok(())),
        }
    }
}
// RECIPE

const LIMIT: Duration = Duration::from_millis(300);

/// A certificate of its own for `localhost`, and a client that trusts no other.
fn certificate() -> Result<(TlsAcceptor, TlsConnector), Box<dyn Error>> {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let mut roots = RootCertStore::empty();
    roots.add(own.cert.der().clone())?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = PrivateKeyDer::try_from(own.signing_key.serialize_der())?;
    let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key)?;
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok((
        TlsAcceptor::from(Arc::new(server)),
        TlsConnector::from(Arc::new(client)),
    ))
}

async fn ask(address: SocketAddr, client: &TlsConnector) -> Result<String, Box<dyn Error>> {
    let stream = TcpStream::connect(address).await?;
    let mut stream = client
        .connect(ServerName::try_from("localhost")?, stream)
        .await?;
    let head = b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    stream.write_all(head).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

#[tokio::test]
async fn a_server_speaks_tls_and_waits_for_no_handshake() -> Result<(), Box<dyn Error>> {
    let (acceptor, client) = certificate()?;
    let tcp = TcpListener::bind("127.0.0.1:0").await?;
    let address = tcp.local_addr()?;
    let listener = TlsListener { tcp, acceptor };
    let stop = Context::background().with_cancel();
    let ctx = Context::clone(&stop);
    let serving = tokio::spawn(async move {
        let options = ServeOptions::new().head_timeout(LIMIT);
        let app = |server: &Spawner| {
            let peer = async |ConnectInfo(peer): ConnectInfo<SocketAddr>, ctx: Context| {
                format!("{} {}", peer.ip(), ctx.can_be_cancelled())
            };
            Router::new()
                .route("/", get(peer))
                .layer(ContextLayer::new(server.context()))
        };
        options.serve(&ctx, listener, app).await
    });

    let mut silent = TcpStream::connect(address).await?;
    let answer = ask(address, &client).await?;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n127.0.0.1 true"), "{answer}");

    // It never says a word, and is closed.
    let mut rest = Vec::new();
    let closed = tokio::time::timeout(LIMIT * 20, silent.read_to_end(&mut rest)).await;
    assert!(matches!(closed, Ok(Ok(0) | Err(_))), "{closed:?}");

    // Neither does this one, and the server stops all the same.
    let _silent = TcpStream::connect(address).await?;
    assert!(ask(address, &client).await?.contains("200 OK"));
    stop.cancel();
    let report = tokio::time::timeout(LIMIT * 20, serving).await??;
    assert!(report.is_clean(), "{report}");
    Ok(())
}
