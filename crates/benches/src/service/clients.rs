//! The clients of a service: a few that ask as fast as they can, and a crowd that waits.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

/// How many connections ask at once.
const CONNECTIONS: usize = 32;

/// How many clients wait.
pub(super) const CROWD: usize = 5_000;

/// The deadlines of a crowd lie within so many milliseconds.
const WITHIN: u64 = 100;

/// A request, and the end of each response to it.
pub(super) type Request = (&'static [u8], &'static [u8]);

pub(super) const WORK: Request = (
    b"GET /work HTTP/1.1\r\nhost: localhost\r\nx-timeout-ms: 5000\r\n\r\n",
    b"done",
);

pub(super) const HELLO: Request = (
    b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n",
    b"Hello, World!",
);

/// Kept connections, each with one request under way.
pub(super) struct Asking {
    request: Request,
    connections: Vec<TcpStream>,
    /// All responses are as long as the first.
    length: usize,
}

impl Asking {
    pub(super) fn new(address: SocketAddr, request: Request) -> Asking {
        let connect = |_| {
            let connection = TcpStream::connect(address).expect("the service listens");
            connection.set_nodelay(true).expect("it is a socket");
            connection
        };
        let mut connections: Vec<TcpStream> = (0..CONNECTIONS).map(connect).collect();
        let mut length = 0;
        for connection in &mut connections {
            connection.write_all(request.0).expect("the service reads");
            let mut response = Vec::new();
            while !response.ends_with(request.1) {
                let mut part = [0; 1024];
                let read = connection.read(&mut part).expect("the service answers");
                assert!(read > 0, "the service hung up");
                response.extend_from_slice(&part[..read]);
            }
            assert!(response.starts_with(b"HTTP/1.1 200 OK\r\n"));
            length = response.len();
        }
        Asking {
            request,
            connections,
            length,
        }
    }

    /// About as many requests as `times`, and how long so many take.
    pub(super) fn ask(&mut self, times: u64) -> Duration {
        let rounds = times.div_ceil(CONNECTIONS as u64);
        let mut response = vec![0; self.length];
        let start = Instant::now();
        for _ in 0..rounds {
            for connection in &mut self.connections {
                connection
                    .write_all(self.request.0)
                    .expect("the service reads");
            }
            for connection in &mut self.connections {
                connection
                    .read_exact(&mut response)
                    .expect("the service answers");
                assert!(response.ends_with(self.request.1));
            }
        }
        let done = rounds * CONNECTIONS as u64;
        start.elapsed().mul_f64(times as f64 / done as f64)
    }
}

/// A crowd of connections, each with a request that waits.
pub(super) struct Crowd {
    connections: Vec<tokio::net::TcpStream>,
}

impl Crowd {
    pub(super) fn gather(runtime: &Runtime, address: SocketAddr) -> Crowd {
        let wait = b"GET /wait HTTP/1.1\r\nhost: localhost\r\nx-timeout-ms: 600000\r\n\r\n";
        let connections = runtime.block_on(async {
            let mut connections = Vec::with_capacity(CROWD);
            for _ in 0..CROWD {
                let connection = tokio::net::TcpStream::connect(address).await;
                let mut connection = connection.expect("the service listens");
                connection.write_all(wait).await.expect("the service reads");
                connections.push(connection);
            }
            connections
        });
        Crowd { connections }
    }

    /// All hang up at once. When they began to, in microseconds since the epoch.
    pub(super) fn hang_up(self, runtime: &Runtime) -> u64 {
        let _context = runtime.enter();
        let began = epoch_micros();
        drop(self.connections);
        began
    }
}

pub(super) fn epoch_micros() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| now.as_micros() as u64)
}

/// A crowd whose deadlines pass within a moment: how late the latest 504 is.
pub(super) fn latest_of_crowd(runtime: &Runtime, address: SocketAddr) -> Duration {
    runtime.block_on(async {
        let mut connections = Vec::with_capacity(CROWD);
        for _ in 0..CROWD {
            let connection = tokio::net::TcpStream::connect(address).await;
            connections.push(connection.expect("the service listens"));
        }
        // Far enough away for all of them to have asked.
        let first = Instant::now() + Duration::from_secs(2);
        let mut clients = JoinSet::new();
        for (index, mut connection) in connections.into_iter().enumerate() {
            let due = first + Duration::from_millis(index as u64 % WITHIN);
            // Rounded up: a deadline that the service sees is never before the one meant.
            let millis = due.duration_since(Instant::now()).as_millis() + 1;
            let head =
                format!("GET /wait HTTP/1.1\r\nhost: localhost\r\nx-timeout-ms: {millis}\r\n\r\n");
            connection
                .write_all(head.as_bytes())
                .await
                .expect("the service reads");
            clients.spawn(async move {
                let mut part = [0; 1024];
                let read = connection.read(&mut part).await;
                let read = read.expect("the service answers");
                let at = Instant::now();
                let status = &part[..read.min(12)];
                assert_eq!(status, b"HTTP/1.1 504", "{}", status.escape_ascii());
                (at.saturating_duration_since(due), connection)
            });
        }
        assert!(Instant::now() < first, "the clients were too slow to ask");
        let mut latest = Duration::ZERO;
        // Kept until all have their answers: nobody is closed meanwhile.
        let mut kept = Vec::with_capacity(CROWD);
        while let Some(answered) = clients.join_next().await {
            let (late, connection) = answered.expect("a client does not panic");
            latest = latest.max(late);
            kept.push(connection);
        }
        latest
    })
}
