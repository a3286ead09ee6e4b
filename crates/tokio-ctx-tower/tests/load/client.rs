//! The client, in its own process.

use std::env;
use std::net::SocketAddr;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// How many callers there are at a time.
const CALLERS: u64 = 48;

/// The word that makes this program the client.
const CLIENT: &str = "client-of";

#[derive(Debug)]
pub(crate) struct Counts {
    pub(crate) answered: u64,
    pub(crate) hung_up: u64,
}

pub(crate) fn is_asked_for() -> bool {
    env::args().nth(1).is_some_and(|word| word == CLIENT)
}

/// Runs the client in a process of its own, to its end.
pub(crate) fn start(address: SocketAddr, requests: u64, seed: u64) -> Counts {
    let arguments = [
        CLIENT.to_owned(),
        address.to_string(),
        requests.to_string(),
        seed.to_string(),
    ];
    let mut command = Command::new(env::current_exe().unwrap());
    let output = command
        .args(arguments)
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "the client failed: {:?}",
        output.status
    );
    let text = String::from_utf8(output.stdout).unwrap();
    let counts: Vec<u64> = text
        .split_whitespace()
        .map(|count| count.parse().unwrap())
        .collect();
    Counts {
        answered: counts[0],
        hung_up: counts[1],
    }
}

/// What the process does.
pub(crate) fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(2).collect();
    let address = arguments[0].parse().unwrap();
    let (requests, seed): (u64, u64) =
        (arguments[1].parse().unwrap(), arguments[2].parse().unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let counts = runtime.block_on(call_many(address, requests, seed));
    println!("{} {}", counts.answered, counts.hung_up);
    ExitCode::SUCCESS
}

async fn call_many(address: SocketAddr, requests: u64, seed: u64) -> Counts {
    let left = Arc::new(AtomicU64::new(requests));
    let mut callers = JoinSet::new();
    for number in 0..CALLERS {
        let left = left.clone();
        let mut dice = Dice(0x9e37_79b9_7f4a_7c15 ^ ((seed << 32) | (number + 1)));
        callers.spawn(async move {
            let mut counts = Counts {
                answered: 0,
                hung_up: 0,
            };
            let take = |left: u64| left.checked_sub(1);
            while left
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
                .is_ok()
            {
                let call = Call::start(address, "/work", dice.throw(2) == 0).await;
                if dice.throw(3) > 0 {
                    call.answer().await;
                    counts.answered += 1;
                    continue;
                }
                // From before the server has read it to after it has answered.
                tokio::time::sleep(Duration::from_micros(dice.throw(5_000))).await;
                call.hang_up();
                counts.hung_up += 1;
            }
            counts
        });
    }
    let mut sum = Counts {
        answered: 0,
        hung_up: 0,
    };
    for counts in callers.join_all().await {
        sum.answered += counts.answered;
        sum.hung_up += counts.hung_up;
    }
    sum
}

/// A xorshift: the same numbers in each run.
struct Dice(u64);

impl Dice {
    fn throw(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

/// One request on a connection of its own.
pub(crate) enum Call {
    Http1(TcpStream),
    Http2 {
        response: h2::client::ResponseFuture,
        stream: h2::SendStream<Bytes>,
        _client: Client,
    },
}

type Client = (
    h2::client::SendRequest<Bytes>,
    tokio::task::JoinHandle<Result<(), h2::Error>>,
);

impl Call {
    pub(crate) async fn start(address: SocketAddr, path: &str, is_h2: bool) -> Call {
        let mut connection = TcpStream::connect(address).await.unwrap();
        connection.set_nodelay(true).unwrap();
        if !is_h2 {
            let head =
                "HTTP/1.1\r\nhost: test\r\nx-probe: 1\r\ngrpc-timeout: 30S\r\nconnection: close";
            let request = format!("GET {path} {head}\r\n\r\n");
            connection.write_all(request.as_bytes()).await.unwrap();
            return Call::Http1(connection);
        }
        let (client, connection) = h2::client::handshake(connection).await.unwrap();
        let connection = tokio::spawn(connection);
        let mut client = client.ready().await.unwrap();
        let request = http::Request::get(format!("http://test{path}"))
            .header("x-probe", "1")
            .header("grpc-timeout", "30S")
            .body(())
            .unwrap();
        let (response, stream) = client.send_request(request, true).unwrap();
        Call::Http2 {
            response,
            stream,
            _client: (client, connection),
        }
    }

    /// Reads the whole answer.
    async fn answer(self) {
        match self {
            Call::Http1(mut connection) => {
                let mut text = String::new();
                connection.read_to_string(&mut text).await.unwrap();
                assert!(
                    text.starts_with("HTTP/1.1 200") && text.ends_with("done"),
                    "{text:?}"
                );
            }
            Call::Http2 { response, .. } => {
                let mut body = response.await.unwrap().into_body();
                assert_eq!(body.data().await.unwrap().unwrap(), "done");
            }
        }
    }

    pub(crate) fn hang_up(self) {
        if let Call::Http2 { mut stream, .. } = self {
            stream.send_reset(h2::Reason::CANCEL);
        }
    }
}
