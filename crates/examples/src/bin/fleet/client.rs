//! A client of the edge, on a bare socket, so that it can hang up as it likes.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::Failure;

/// A request that has been sent. Dropped, it hangs up.
pub(crate) struct Call {
    connection: TcpStream,
    trace: String,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
    /// Of the request, as the processes should have seen it.
    pub(crate) trace: String,
}

impl Answer {
    pub(crate) fn line(&self) -> String {
        format!("trace {}: {} {}", self.trace, self.status, self.body)
    }
}

impl Call {
    /// Asks for that many milliseconds of work, in a trace named for the client.
    pub(crate) async fn send(
        edge: SocketAddr,
        millis: u64,
        headers: &str,
        name: &str,
    ) -> Result<Call, Failure> {
        let id: String = name
            .bytes()
            .cycle()
            .take(16)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let head = format!(
            "GET /work/{millis} HTTP/1.1\r\nhost: edge\r\nconnection: close\r\n\
             traceparent: 00-{id}-00000000000000f1-01\r\n{headers}\r\n\r\n"
        );
        let mut connection = TcpStream::connect(edge).await?;
        connection.write_all(head.as_bytes()).await?;
        Ok(Call {
            connection,
            trace: id[..8].to_owned(),
        })
    }

    pub(crate) async fn answer(mut self) -> Result<Answer, Failure> {
        let mut text = String::new();
        self.connection.read_to_string(&mut text).await?;
        let (head, body) = text.split_once("\r\n\r\n").ok_or("the edge said nothing")?;
        let status = head.split(' ').nth(1).ok_or("no status")?.parse()?;
        Ok(Answer {
            status,
            body: body.to_owned(),
            trace: self.trace,
        })
    }
}

/// What `curl` would show of the page with what runs.
pub(crate) async fn what_runs(view: SocketAddr) -> Result<String, Failure> {
    let head = format!("GET /debug/ctx HTTP/1.1\r\nhost: {view}\r\nconnection: close\r\n\r\n");
    let mut connection = TcpStream::connect(view).await?;
    connection.write_all(head.as_bytes()).await?;
    let mut text = String::new();
    connection.read_to_string(&mut text).await?;
    Ok(text)
}
