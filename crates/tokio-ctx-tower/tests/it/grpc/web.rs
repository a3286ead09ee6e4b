//! grpc-web, in both of its codings: a status reaches the client however a call ends.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use std::net::SocketAddr;

use http::HeaderName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::unbounded_channel;
use tokio_ctx_core::Context;
use tokio_ctx_tower::ContextLayer;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::codec::CompressionEncoding;
use tonic::transport::Server;
use tonic_web::GrpcWebLayer;

use super::EchoService;
use super::pb::echo_server::EchoServer;
use crate::stage::within;

const BINARY: &str = "application/grpc-web+proto";
const TEXT: &str = "application/grpc-web-text+proto";

/// A server whose contexts are outside of what translates grpc-web, or inside. It compresses its
/// messages for a client that takes them so.
async fn start(is_outside: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let layer = ContextLayer::new(&Context::background())
        .timeout_header(HeaderName::from_static("x-timeout-ms"));
    let (began, _) = unbounded_channel();
    let (ended, _) = unbounded_channel();
    let server = Server::builder().accept_http1(true);
    let service = EchoServer::new(EchoService { began, ended })
        .send_compressed(CompressionEncoding::Gzip)
        .accept_compressed(CompressionEncoding::Gzip);
    let incoming = TcpListenerStream::new(listener);
    if is_outside {
        let mut server = server.layer(layer).layer(GrpcWebLayer::new());
        tokio::spawn(server.add_service(service).serve_with_incoming(incoming));
    } else {
        let mut server = server.layer(GrpcWebLayer::new()).layer(layer);
        tokio::spawn(server.add_service(service).serve_with_incoming(incoming));
    }
    address
}

/// Calls over HTTP/1, and returns the head and the messages of the answer with their flags.
async fn call(
    address: SocketAddr,
    method: &str,
    text: &str,
    content_type: &str,
) -> (String, Vec<(u8, Vec<u8>)>) {
    call_with(address, method, text, content_type, "identity").await
}

/// The same with messages compressed as `encoding` says.
async fn call_with(
    address: SocketAddr,
    method: &str,
    text: &str,
    content_type: &str,
    encoding: &str,
) -> (String, Vec<(u8, Vec<u8>)>) {
    let length = u8::try_from(text.len()).unwrap();
    let mut message = vec![0, 0, 0, 0, length + 2, 10, length];
    message.extend_from_slice(text.as_bytes());
    if content_type == TEXT {
        message = BASE64_STANDARD.encode(message).into_bytes();
    }
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /echo.Echo/{method} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\
         content-type: {content_type}\r\naccept: {content_type}\r\nx-timeout-ms: 150\r\n\
         grpc-accept-encoding: {encoding}\r\n\
         content-length: {}\r\n\r\n",
        message.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&message).await.unwrap();
    let mut answer = Vec::new();
    within(stream.read_to_end(&mut answer)).await.unwrap();
    let split = answer
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap();
    let head = String::from_utf8(answer[..split].to_vec()).unwrap();
    let mut body = answer.split_off(split + 4);
    if head.contains("transfer-encoding: chunked") {
        body = dechunked(&body).unwrap_or_else(|| panic!("{method}: cut off: {head} {body:?}"));
    }
    if content_type == TEXT {
        // Each part is padded by itself, so four characters at a time.
        let groups = body.chunks(4);
        body = groups
            .flat_map(|group| BASE64_STANDARD.decode(group).unwrap())
            .collect();
    }
    let mut messages = Vec::new();
    while let [flag, a, b, c, d, rest @ ..] = &body[..] {
        let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
        messages.push((*flag, rest[..length].to_vec()));
        body = rest[length..].to_vec();
    }
    assert!(body.is_empty(), "half a message: {body:?}");
    (head, messages)
}

/// `None` if the last chunk is missing.
fn dechunked(mut body: &[u8]) -> Option<Vec<u8>> {
    let mut whole = Vec::new();
    loop {
        let end = body.windows(2).position(|two| two == b"\r\n")?;
        let length = usize::from_str_radix(std::str::from_utf8(&body[..end]).ok()?, 16).ok()?;
        body = &body[end + 2..];
        if length == 0 {
            return Some(whole);
        }
        whole.extend_from_slice(body.get(..length)?);
        body = body.get(length + 2..)?;
    }
}

#[tokio::test]
async fn a_stream_that_is_cut_at_its_deadline_ends_with_the_status() {
    for (is_outside, content_type, text) in [
        (true, BINARY, "hang"),
        (true, BINARY, "stubborn"),
        (true, TEXT, "stubborn"),
        (false, BINARY, "stubborn"),
        (false, TEXT, "stubborn"),
    ] {
        let address = start(is_outside).await;
        let (head, messages) = call(address, "Down", text, content_type).await;
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        let [(0, first), (0x80, trailers)] = &messages[..] else {
            panic!("{content_type} {text}: {messages:?}");
        };
        assert_eq!(first, b"\x0a\x05first");
        let trailers = String::from_utf8(trailers.clone()).unwrap();
        assert!(
            trailers.contains("grpc-status:4\r\n"),
            "{content_type} {text}: {trailers:?}"
        );
    }
}

#[tokio::test]
async fn a_stream_of_compressed_messages_ends_with_the_status() {
    for (is_outside, content_type) in [(true, BINARY), (true, TEXT), (false, BINARY), (false, TEXT)]
    {
        let address = start(is_outside).await;
        let called = call_with(address, "Down", "stubborn", content_type, "gzip");
        let (head, messages) = called.await;
        assert!(head.contains("grpc-encoding: gzip"), "{head}");
        let [(1, first), (0x80, trailers)] = &messages[..] else {
            panic!("{content_type}: {messages:?}");
        };
        assert_eq!(first[..2], [0x1f, 0x8b], "it is compressed");
        let trailers = String::from_utf8(trailers.clone()).unwrap();
        assert!(trailers.contains("grpc-status:4\r\n"), "{trailers:?}");
    }
}

#[tokio::test]
async fn a_call_that_is_not_answered_in_time_is_answered_with_the_status() {
    for (is_outside, content_type) in [(true, BINARY), (true, TEXT), (false, BINARY), (false, TEXT)]
    {
        let address = start(is_outside).await;
        for text in ["hang", "stubborn"] {
            let (head, messages) = call(address, "Once", text, content_type).await;
            let in_trailers = messages.iter().any(|(flag, trailers)| {
                *flag == 0x80 && trailers.windows(13).any(|part| part == b"grpc-status:4")
            });
            let in_head = head.contains("grpc-status: 4");
            assert!(
                in_head || in_trailers,
                "{content_type} {text}: {head} {messages:?}"
            );
            assert!(
                head.contains("content-type: application/grpc-web"),
                "{head}"
            );
        }
    }
}
