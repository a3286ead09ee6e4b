//! Requests over real connections: row 18.
//!
//! The same handler on the same kind of server, one bare and one with the layer, which gives
//! each request a context with a deadline and ends it with the response. Eight connections
//! are kept open, each with one request under way.

use std::convert::Infallible;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::{Duration, Instant};

use axum::body::{Body, HttpBody as _};
use axum::extract::Request;
use axum::http::HeaderValue;
use axum::http::header::HOST;
use axum::response::Response;
use axum::routing::get;
use axum::{Router, ServiceExt};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_ctx::Context;
use tokio_ctx::tower::ContextLayer;
use tokio_ctx::tower::axum::around;
use tower_service::Service;

use super::scopes::Flavour;
use crate::harness::Group;

const CONNECTIONS: usize = 8;
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";
const BODY: &[u8] = b"Hello, World!";

/// The service without the layer.
fn bare() -> Router {
    Router::new().route("/", get(async || BODY))
}

/// As `docs/services.md` has it: `Router::layer` boxes each route anew, whatever the layer does.
fn layered() -> impl Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone
{
    let layer = ContextLayer::new(&Context::background()).default_timeout(Duration::from_secs(30));
    around(&layer, bare())
}

/// So many requests to the service without a connection, and without the layer.
pub(crate) fn requests_without_layer(times: u32) {
    call(bare(), times);
}

/// So many requests to the service without a connection.
pub(crate) fn requests_with_layer(times: u32) {
    call(layered(), times);
}

fn call<S>(mut service: S, times: u32)
where
    S: Service<Request, Response = Response, Error = Infallible>,
{
    let mut cx = TaskContext::from_waker(Waker::noop());
    for _ in 0..times {
        let mut request = Request::new(Body::empty());
        let headers = request.headers_mut();
        headers.insert(HOST, HeaderValue::from_static("localhost"));
        let Poll::Ready(Ok(response)) = pin!(service.call(request)).poll(&mut cx) else {
            panic!("a hello waits for nothing");
        };
        let mut body = response.into_body();
        while !body.is_end_stream() {
            let polled = Pin::new(&mut body).poll_frame(&mut cx);
            assert!(matches!(polled, Poll::Ready(Some(Ok(_)))));
        }
    }
}

pub(super) fn hello<'a>() -> Group<'a> {
    let runtime = Arc::new(Flavour::Workers(1).runtime());
    let mut without = Client::new(&runtime, bare());
    let mut with = Client::new(&runtime, layered());
    Group::new()
        .timed("with the layer", move |times| {
            // The runtime lives as long as its clients do.
            let _runtime = &runtime;
            with.requests(times)
        })
        .timed("without", move |times| without.requests(times))
        .throughput_row(
            "18",
            "axum hello-world over HTTP/1.1, per request",
            "with the layer",
            "without",
            0.97,
        )
}

struct Client {
    connections: Vec<TcpStream>,
    /// All responses are as long as the first, the date included.
    length: usize,
}

impl Client {
    fn new<S>(runtime: &Runtime, service: S) -> Client
    where
        S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
        S::Future: Send,
    {
        let address = runtime.block_on(async {
            let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))
                .await
                .expect("a port is free");
            let address = listener.local_addr().expect("it is bound");
            let service = ServiceExt::<Request>::into_make_service(service);
            tokio::spawn(async move { axum::serve(listener, service).await });
            address
        });
        let mut connections: Vec<TcpStream> = (0..CONNECTIONS)
            .map(|_| {
                let connection = TcpStream::connect(address).expect("the server listens");
                connection.set_nodelay(true).expect("it is a socket");
                connection
            })
            .collect();
        let mut length = 0;
        for connection in &mut connections {
            connection.write_all(REQUEST).expect("the server reads");
            let mut response = Vec::new();
            while !response.ends_with(BODY) {
                let mut part = [0; 1024];
                let read = connection.read(&mut part).expect("the server answers");
                assert!(read > 0, "the server hung up");
                response.extend_from_slice(&part[..read]);
            }
            assert!(response.starts_with(b"HTTP/1.1 200 OK\r\n"));
            length = response.len();
        }
        Client {
            connections,
            length,
        }
    }

    /// About as many requests as `times`, and how long so many take.
    fn requests(&mut self, times: u64) -> Duration {
        let rounds = times.div_ceil(CONNECTIONS as u64);
        let mut response = vec![0; self.length];
        let start = Instant::now();
        for _ in 0..rounds {
            for connection in &mut self.connections {
                connection.write_all(REQUEST).expect("the server reads");
            }
            for connection in &mut self.connections {
                connection
                    .read_exact(&mut response)
                    .expect("the server answers");
                assert!(response.ends_with(BODY));
            }
        }
        let done = rounds * CONNECTIONS as u64;
        start.elapsed().mul_f64(times as f64 / done as f64)
    }
}
