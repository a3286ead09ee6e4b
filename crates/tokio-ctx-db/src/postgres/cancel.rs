//! Cancels of PostgreSQL, with a fence.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
#[cfg(unix)]
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use futures_util::future::join_all;
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio::net::{TcpStream, lookup_host};
use tokio_postgres::CancelToken;
use tokio_postgres::config::{Config, Host};
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};

use super::stream::{CancelStream, Socket};
use crate::kernel::{Cancel, Sent};

/// The port where a configuration names none.
const PORT: u16 = 5432;

/// Sends the cancels of one session.
#[derive(Clone)]
pub(super) struct Canceller {
    token: CancelToken,
    way: Arc<dyn Way>,
}

impl Canceller {
    pub(super) fn new(token: CancelToken, way: Arc<dyn Way>) -> Canceller {
        Canceller { token, way }
    }
}

impl Cancel for Canceller {
    async fn cancel(&self) -> Sent {
        self.way.send(&self.token).await
    }
}

/// The way to the server, with the type of its TLS connector erased.
pub(super) trait Way: Send + Sync + 'static {
    fn send<'a>(
        &'a self,
        token: &'a CancelToken,
    ) -> Pin<Box<dyn Future<Output = Sent> + Send + 'a>>;
}

/// The hosts of a configuration.
///
/// It is not known which of them a session is with, so a cancel goes to each: it carries a key that
/// only the right one knows, and the others ignore it.
pub(super) struct Hosts<T> {
    hosts: Vec<Target>,
    tls: T,
}

struct Target {
    /// For TLS.
    name: String,
    place: Place,
}

enum Place {
    Name(String, u16),
    Address(SocketAddr),
    #[cfg(unix)]
    Socket(PathBuf),
}

impl<T> Hosts<T> {
    pub(super) fn new(config: &Config, tls: T) -> Hosts<T> {
        let ports = config.get_ports();
        let port = |index: usize| ports.get(index).or(ports.first()).copied().unwrap_or(PORT);
        let addresses = config.get_hostaddrs();
        let names = config.get_hosts();
        let hosts = (0..names.len().max(addresses.len()))
            .map(|index| {
                let name = match names.get(index) {
                    Some(Host::Tcp(name)) => name.clone(),
                    _ => String::new(),
                };
                let place = match (addresses.get(index), names.get(index)) {
                    (Some(address), _) => Place::Address((*address, port(index)).into()),
                    #[cfg(unix)]
                    (None, Some(Host::Unix(dir))) => {
                        Place::Socket(dir.join(format!(".s.PGSQL.{}", port(index))))
                    }
                    _ => Place::Name(name.clone(), port(index)),
                };
                Target { name, place }
            })
            .collect();
        Hosts { hosts, tls }
    }
}

impl<T> Way for Hosts<T>
where
    T: MakeTlsConnect<CancelStream> + Clone + Send + Sync + 'static,
    T::Stream: Send,
    T::TlsConnect: Send,
    <T::TlsConnect as TlsConnect<CancelStream>>::Future: Send,
{
    fn send<'a>(
        &'a self,
        token: &'a CancelToken,
    ) -> Pin<Box<dyn Future<Output = Sent> + Send + 'a>> {
        Box::pin(async move {
            let sent = self.hosts.iter().map(|host| self.send_to(host, token));
            summary(join_all(sent).await)
        })
    }
}

impl<T> Hosts<T>
where
    T: MakeTlsConnect<CancelStream> + Clone + Send + Sync + 'static,
{
    async fn send_to(&self, host: &Target, token: &CancelToken) -> Sent {
        let addresses = match &host.place {
            Place::Address(address) => vec![*address],
            // A name may stand for several servers, which is the same case as several hosts.
            Place::Name(name, port) => match lookup_host((name.as_str(), *port)).await {
                Ok(found) => found.collect(),
                Err(_) => Vec::new(),
            },
            #[cfg(unix)]
            Place::Socket(path) => {
                let socket = UnixStream::connect(path).await.map(Socket::Unix);
                return self.send_through(socket, host, token).await;
            }
        };
        let sent = addresses.into_iter().map(async |address| {
            let socket = TcpStream::connect(address).await.map(Socket::Tcp);
            self.send_through(socket, host, token).await
        });
        summary(join_all(sent).await)
    }

    async fn send_through(
        &self,
        socket: io::Result<Socket>,
        host: &Target,
        token: &CancelToken,
    ) -> Sent {
        let Ok(socket) = socket else {
            return Sent::Unsent;
        };
        let tls = match self.tls.clone().make_tls_connect(&host.name) {
            Ok(tls) => tls,
            Err(error) => return Sent::Unfenced(error.into().to_string()),
        };
        let (stream, back) = CancelStream::new(socket);
        if let Err(error) = token.cancel_query_raw(stream, tls).await {
            return Sent::Unfenced(error.to_string());
        }
        // Rule 4 of the kernel: the server closes the connection when it has acted.
        if let Ok(socket) = back.await {
            socket.closed().await;
        }
        Sent::Fenced
    }
}

/// What is known of a cancel that went several ways.
fn summary(sent: Vec<Sent>) -> Sent {
    sent.into_iter()
        .fold(Sent::Unsent, |all, one| match (all, one) {
            (Sent::Unfenced(error), _) | (_, Sent::Unfenced(error)) => Sent::Unfenced(error),
            (Sent::Fenced, _) | (_, Sent::Fenced) => Sent::Fenced,
            (Sent::Unsent, Sent::Unsent) => Sent::Unsent,
        })
}
