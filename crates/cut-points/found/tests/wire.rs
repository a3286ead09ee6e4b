//! What goes over a wire: tokio-util's codecs, tokio-tungstenite 0.30.0, hyper and hyper-util, tower.

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use cut_points::world;
use cut_points_found::{holds, ms};
use futures_util::{SinkExt as _, StreamExt as _};
use http_body_util::{BodyExt as _, Empty, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Message, protocol::Role};
use tokio_util::codec::{Framed, LengthDelimitedCodec};
use tower::buffer::Buffer;
use tower::limit::ConcurrencyLimit;
use tower::{Service as _, ServiceExt as _, service_fn as tower_fn};

#[test]
fn framed_reads_whole_frames() {
    type Wire = Mutex<(Framed<DuplexStream, LengthDelimitedCodec>, Vec<BytesMut>)>;
    let wire = async || {
        let (near, mut far) = tokio::io::duplex(64);
        tokio::spawn(async move {
            for piece in [&b"\0\0\0\x03a"[..], b"bc\0\0", b"\0\x03def"] {
                if far.write_all(piece).await.is_err() {
                    return;
                }
                sleep(ms(2)).await;
            }
            far.read_u8().await.expect_err("nothing is sent this way");
        });
        Wire::new((Framed::new(near, LengthDelimitedCodec::new()), Vec::new()))
    };
    let report = world(wire)
        .check(async |wire: &Wire| {
            let read = &wire.lock().await.1;
            assert!(
                read.iter()
                    .zip([b"abc", b"def"])
                    .all(|(frame, whole)| frame == &whole[..])
            );
        })
        .drop_everywhere(async |wire: &Wire| {
            let (framed, read) = &mut *wire.lock().await;
            while read.len() < 2 {
                let frame = framed.next().await.ok_or("the peer is gone")?;
                read.push(frame.map_err(|_| "an error")?);
            }
            Ok::<_, &str>(())
        });
    holds(&report);
}

#[test]
fn a_websocket_never_sends_half_a_message() {
    const TEXT: &str = "a text that does not fit into the pipe";
    type Socket = WebSocketStream<DuplexStream>;
    type Pair = Mutex<(Socket, Socket)>;
    let pair = async || {
        let (near, far) = tokio::io::duplex(16);
        let near = Socket::from_raw_socket(near, Role::Client, None).await;
        Pair::new((near, Socket::from_raw_socket(far, Role::Server, None).await))
    };
    let report = world(pair)
        .check(async |pair: &Pair| {
            let (near, far) = &mut *pair.lock().await;
            let read = async {
                while let Ok(Some(message)) = timeout(ms(100), far.next()).await {
                    let text = message.expect("a message").into_text().expect("a text");
                    assert_eq!(text.as_str(), TEXT);
                }
            };
            let (flushed, ()) = tokio::join!(near.flush(), read);
            flushed.expect("the rest is sent");
        })
        .drop_everywhere(async |pair: &Pair| {
            let (near, far) = &mut *pair.lock().await;
            let read = async {
                sleep(ms(1)).await;
                far.next().await
            };
            let (sent, read) = tokio::join!(biased; near.send(Message::text(TEXT)), read);
            sent.map_err(|error| error.to_string())?;
            read.ok_or("the peer is gone")?
                .map(drop)
                .map_err(|error| error.to_string())
        });
    holds(&report);
}

#[test]
fn a_pooled_http_client_never_reads_the_answer_before() {
    type Http = (Client<HttpConnector, Empty<Bytes>>, SocketAddr);

    async fn echo(
        request: hyper::Request<Incoming>,
    ) -> Result<hyper::Response<Full<Bytes>>, Infallible> {
        sleep(ms(3)).await;
        let path = Bytes::copy_from_slice(request.uri().path().as_bytes());
        Ok(hyper::Response::new(Full::new(path)))
    }

    let http = async || -> Http {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let http1 = hyper::server::conn::http1::Builder::new();
                tokio::spawn(http1.serve_connection(TokioIo::new(stream), service_fn(echo)));
            }
        });
        let mut client = Client::builder(TokioExecutor::new());
        (client.pool_timer(TokioTimer::new()).build_http(), address)
    };
    // Connections are driven by tasks, which outlive the call that opened them.
    let report = world(http)
        .real_time()
        .quiet(ms(10))
        .tasks_may_outlive()
        .drop_everywhere(async |(client, address): &Http| {
            for path in ["/one", "/two"] {
                let uri = format!("http://{address}{path}");
                let response = client.get(uri.parse().expect("a URI")).await;
                let body = response.map_err(|error| error.to_string())?.into_body();
                let answer = body
                    .collect()
                    .await
                    .map_err(|error| error.to_string())?
                    .to_bytes();
                if answer != path {
                    return Err(format!("{answer:?} for {path}"));
                }
            }
            Ok(())
        });
    holds(&report);
}

async fn slow(request: u32) -> Result<u32, Infallible> {
    sleep(ms(2)).await;
    Ok(request)
}

#[test]
fn a_concurrency_limit_gets_its_permit_back() {
    type Limited<F> = ConcurrencyLimit<tower::util::ServiceFn<F>>;
    async fn call<F, Fut>(limited: &Limited<F>) -> Result<(), Infallible>
    where
        F: FnMut(u32) -> Fut + Clone,
        Fut: Future<Output = Result<u32, Infallible>>,
    {
        limited.clone().ready().await?.call(7).await.map(drop)
    }
    let report = world(async || ConcurrencyLimit::new(tower_fn(slow), 1))
        .drop_everywhere(async |limited: &Limited<_>| call(limited).await);
    holds(&report);
}

#[test]
fn a_buffer_serves_the_next() {
    let buffer = async || Buffer::new(ConcurrencyLimit::new(tower_fn(slow), 1), 1);
    let report = world(buffer).drop_everywhere(async |buffer: &Buffer<u32, _>| {
        let mut buffer = buffer.clone();
        for _ in 0..2 {
            let ready = buffer.ready().await.map_err(|error| error.to_string())?;
            ready.call(7).await.map_err(|error| error.to_string())?;
        }
        Ok::<_, String>(())
    });
    holds(&report);
}
