//! A server in front of the real one that only cancels go to, and that does with them as it is
//! told: late, lost, never answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_postgres::Config;

/// The bytes of a cancel request: its length, its code, the session and its key.
const REQUEST: usize = 16;

/// What becomes of a cancel.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fate {
    /// It reaches the server after that time; its sender is told once the server has acted.
    Late(Duration),
    /// It reaches nobody, as one that comes before its query.
    Lost,
    /// It reaches nobody, and its sender is never answered.
    Swallowed,
}

pub(super) struct Proxy {
    pub(super) config: Config,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    begun: AtomicUsize,
    under_way: AtomicUsize,
    most_at_once: AtomicUsize,
    half_closed: AtomicUsize,
}

impl Proxy {
    /// The first cancels get the fates of `first`, the others reach the server at once.
    pub(super) async fn start(server: u16, first: &'static [Fate]) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let seen = Arc::new(Seen::default());
        let shared = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let index = shared.begun.fetch_add(1, Ordering::SeqCst);
                let fate = first
                    .get(index)
                    .copied()
                    .unwrap_or(Fate::Late(Duration::ZERO));
                let seen = Arc::clone(&shared);
                tokio::spawn(async move {
                    let now = seen.under_way.fetch_add(1, Ordering::SeqCst) + 1;
                    seen.most_at_once.fetch_max(now, Ordering::SeqCst);
                    carry(client, server, fate, &seen).await;
                    seen.under_way.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        let mut config = Config::new();
        config.host("127.0.0.1").port(port);
        Proxy { config, seen }
    }

    pub(super) fn begun(&self) -> usize {
        self.seen.begun.load(Ordering::SeqCst)
    }

    pub(super) fn under_way(&self) -> usize {
        self.seen.under_way.load(Ordering::SeqCst)
    }

    pub(super) fn most_at_once(&self) -> usize {
        self.seen.most_at_once.load(Ordering::SeqCst)
    }

    /// How many senders shut their side down before they were answered.
    pub(super) fn half_closed(&self) -> usize {
        self.seen.half_closed.load(Ordering::SeqCst)
    }
}

async fn carry(mut client: TcpStream, server: u16, fate: Fate, seen: &Seen) {
    let mut request = [0; REQUEST];
    if client.read_exact(&mut request).await.is_err() {
        return;
    }
    let wait = match fate {
        Fate::Late(wait) => wait,
        Fate::Lost => return,
        // Until its sender gives up.
        Fate::Swallowed => Duration::MAX,
    };
    // A sender that only waits sends nothing, and does not end.
    let mut more = [0];
    if let Ok(read) = tokio::time::timeout(wait, client.read(&mut more)).await {
        let ended = matches!(read, Ok(0));
        seen.half_closed
            .fetch_add(usize::from(ended), Ordering::SeqCst);
        return;
    }
    if let Ok(mut server) = TcpStream::connect(("127.0.0.1", server)).await {
        let _ = server.write_all(&request).await;
        let _ = server.read(&mut more).await;
    }
}
