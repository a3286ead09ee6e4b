//! A view on a port of its own, and a client that speaks plain HTTP/1.1.

use std::net::SocketAddr;

use axum::Router;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_ctx::view::View;

/// Tests look at the whole process, so they take turns.
pub(crate) static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

pub(crate) async fn mount(view: View) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = Router::new().route_service("/debug/ctx", view);
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

pub(crate) async fn ask(at: SocketAddr, method: &str, query: &str, headers: &str) -> Answer {
    let mut stream = TcpStream::connect(at).await.unwrap();
    let request =
        format!("{method} /debug/ctx{query} HTTP/1.1\r\nconnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    Answer {
        status: head[9..12].parse().unwrap(),
        head: head.to_ascii_lowercase(),
        body: body.to_owned(),
    }
}

pub(crate) async fn get(at: SocketAddr, query: &str) -> Answer {
    ask(at, "GET", query, "host: localhost\r\n").await
}

/// A response that goes on: what has arrived of it.
pub(crate) struct Open {
    stream: BufReader<TcpStream>,
    pub(crate) text: String,
}

impl Open {
    pub(crate) async fn get(at: SocketAddr, query: &str) -> Open {
        let mut stream = TcpStream::connect(at).await.unwrap();
        let request = format!("GET /debug/ctx{query} HTTP/1.1\r\nhost: localhost\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        Open {
            stream: BufReader::new(stream),
            text: String::new(),
        }
    }

    /// Reads until `wanted` has come `times` times.
    pub(crate) async fn until(&mut self, wanted: &str, times: usize) {
        while self.text.matches(wanted).count() < times {
            assert!(self.read().await > 0, "it ended: {}", self.text);
        }
    }

    async fn read(&mut self) -> usize {
        let mut buffer = [0; 4096];
        let num = self.stream.read(&mut buffer).await.unwrap();
        self.text.push_str(&String::from_utf8_lossy(&buffer[..num]));
        num
    }
}
