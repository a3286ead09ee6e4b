//! A client of raw TCP sockets, so that hanging up is a real close of a real connection.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// No answer takes longer; a client that still waits then has found a bug.
const PATIENCE: Duration = Duration::from_secs(30);

/// A request that was sent and whose answer has not been read yet.
///
/// Dropping it closes the socket, as [`hang_up`](Call::hang_up) does.
#[derive(Debug)]
pub struct Call {
    stream: TcpStream,
}

/// What the server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status; 0 when the server closed the connection without an answer.
    pub status: u16,
    /// The body, as text.
    pub body: String,
}

impl Call {
    /// Connects and sends one request without a body.
    ///
    /// # Errors
    ///
    /// Those of the socket.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the connection.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use examples::client::Call;
    /// # async fn example(server: std::net::SocketAddr) -> std::io::Result<()> {
    /// let call = Call::send(server, "GET /report", &[("x-trace-id", "mine")]).await?;
    /// assert_eq!(call.answer().await?.status, 200);
    /// # Ok(()) }
    /// ```
    pub async fn send(
        server: SocketAddr,
        line: &str,
        headers: &[(&str, &str)],
    ) -> io::Result<Call> {
        let headers: String = headers
            .iter()
            .map(|(k, v)| format!("{k}: {v}\r\n"))
            .collect();
        let request =
            format!("{line} HTTP/1.1\r\nhost: {server}\r\nconnection: close\r\n{headers}\r\n");
        Call::send_bytes(server, request.as_bytes()).await
    }

    /// Connects and sends bytes that need not be HTTP at all.
    ///
    /// # Errors
    ///
    /// Those of the socket.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the connection.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use examples::client::Call;
    /// # async fn example(server: std::net::SocketAddr) -> std::io::Result<()> {
    /// let call = Call::send_bytes(server, b"\x16\x03\x01 not http\r\n\r\n").await?;
    /// assert_eq!(call.answer().await?.status, 400);
    /// # Ok(()) }
    /// ```
    pub async fn send_bytes(server: SocketAddr, bytes: &[u8]) -> io::Result<Call> {
        let mut stream = TcpStream::connect(server).await?;
        stream.write_all(bytes).await?;
        Ok(Call { stream })
    }

    /// Waits for the server's answer, up to the close of the connection.
    ///
    /// # Errors
    ///
    /// Those of the socket, `TimedOut` after half a minute, and `InvalidData` for an answer
    /// that is not HTTP.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the connection.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use examples::client::Call;
    /// # async fn example(call: Call) -> std::io::Result<()> {
    /// assert_eq!(call.answer().await?.json()["title"], "no such page");
    /// # Ok(()) }
    /// ```
    pub async fn answer(mut self) -> io::Result<Answer> {
        let mut bytes = Vec::new();
        tokio::time::timeout(PATIENCE, self.stream.read_to_end(&mut bytes)).await??;
        Answer::parse(&String::from_utf8_lossy(&bytes))
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "not an HTTP answer"))
    }

    /// Closes the socket without reading the answer; returns when it did so.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use examples::client::Call;
    /// # fn example(call: Call) {
    /// let closed = call.hang_up();
    /// assert!(closed <= std::time::Instant::now());
    /// # }
    /// ```
    #[must_use = "the moment of the close is what a reaction is measured from"]
    pub fn hang_up(self) -> Instant {
        let closed = Instant::now();
        drop(self.stream);
        closed
    }
}

impl Answer {
    /// The body as JSON; `null` when it is none.
    ///
    /// # Examples
    ///
    /// ```
    /// let answer = examples::client::Answer { status: 200, body: "{\"rows\": 3}".into() };
    /// assert_eq!(answer.json()["rows"], 3);
    /// ```
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or(Value::Null)
    }

    fn parse(text: &str) -> Option<Answer> {
        if text.is_empty() {
            return Some(Answer {
                status: 0,
                body: String::new(),
            });
        }
        let (head, body) = text.split_once("\r\n\r\n")?;
        let status = head
            .strip_prefix("HTTP/1.")?
            .split(' ')
            .nth(1)?
            .parse()
            .ok()?;
        Some(Answer {
            status,
            body: body.to_owned(),
        })
    }
}
