//! A server to play against, and clients that can misbehave.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::stream;
use http::{HeaderName, HeaderValue, header};
use serde_json::{Value, json};
use spawn_scoped::scope;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio_ctx_core::{CancelGuard, Cancelled, Context, Reason, key};
use tokio_ctx_tower::headers::{Baggage, HeaderKey, TraceContext};
use tokio_ctx_tower::request_scope::RequestScopeLayer;
use tokio_ctx_tower::serve::{ServeOptions, ServeReport};
use tokio_ctx_tower::{ContextError, ContextLayer};
use tower_http::compression::CompressionLayer;

/// Longer than anything here takes, shorter than the patience of people who run the tests.
pub(crate) const LONG: Duration = Duration::from_secs(20);

key! {
    pub(crate) Shop: u32, print;
    pub(crate) Token: String;
    pub(crate) Unlisted: String, print;
}

impl HeaderKey for Shop {
    const HEADER: HeaderName = HeaderName::from_static("x-shop");
    const MAX_BYTES: usize = 10;

    fn decode(text: &str) -> Option<u32> {
        text.parse().ok()
    }

    fn encode(shop: &u32) -> Option<String> {
        Some(shop.to_string())
    }
}

impl HeaderKey for Token {
    const HEADER: HeaderName = HeaderName::from_static("x-token");

    fn decode(text: &str) -> Option<String> {
        (text != "malformed").then(|| text.to_owned())
    }

    fn encode(token: &String) -> Option<String> {
        Some(token.clone())
    }
}

impl HeaderKey for Unlisted {
    const HEADER: HeaderName = HeaderName::from_static("x-unlisted");

    fn decode(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    fn encode(text: &String) -> Option<String> {
        Some(text.clone())
    }
}

/// What happened to a request.
#[derive(Debug)]
pub(crate) enum Event {
    Started,
    /// Its context ended.
    Ended(Cancelled, Instant),
    /// The task that it spawned noticed.
    Stopped(Cancelled, Instant),
}

pub(crate) struct Stage {
    pub(crate) address: SocketAddr,
    pub(crate) layer: ContextLayer,
    pub(crate) stop: CancelGuard,
    pub(crate) events: UnboundedReceiver<Event>,
    serving: JoinHandle<ServeReport>,
}

#[derive(Clone)]
struct App {
    events: UnboundedSender<Event>,
}

/// Requests are asked to stop as soon as their server is.
pub(crate) fn at_once() -> ServeOptions {
    ServeOptions::new().drain(Duration::ZERO)
}

impl Stage {
    pub(crate) async fn start() -> Stage {
        Stage::with(at_once(), |layer| layer).await
    }

    pub(crate) async fn with(
        options: ServeOptions,
        adapt: impl FnOnce(ContextLayer) -> ContextLayer + Send + 'static,
    ) -> Stage {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (events, receiver) = unbounded_channel();
        let stop = Context::background().with_cancel();
        let ctx = stop.clone();
        let (send_layer, layer) = tokio::sync::oneshot::channel();
        let serving = tokio::spawn(async move {
            let served = options.serve(&ctx, listener, |server| {
                let layer = ContextLayer::new(server.context())
                    .key::<Shop>()
                    .key::<Token>()
                    .trace_context()
                    .key::<Baggage>()
                    .timeout_header(HeaderName::from_static("x-timeout-ms"))
                    .max_timeout(Duration::from_secs(60));
                let layer = adapt(layer);
                drop(send_layer.send(layer.clone()));
                router(App { events }, layer)
            });
            served.await
        });
        Stage {
            address,
            layer: layer.await.unwrap(),
            stop,
            events: receiver,
            serving,
        }
    }

    pub(crate) async fn event(&mut self) -> Event {
        within(self.events.recv())
            .await
            .expect("the server is gone")
    }

    /// What happens from now on, for a test that gives up the stage.
    pub(crate) fn take_events(&mut self) -> UnboundedReceiver<Event> {
        std::mem::replace(&mut self.events, unbounded_channel().1)
    }

    /// Forgets what happened so far.
    pub(crate) fn forget(&mut self) {
        while self.events.try_recv().is_ok() {}
    }

    pub(crate) async fn started(&mut self) {
        // What is left of the one before may come in between.
        while !matches!(self.event().await, Event::Started) {}
    }

    /// Why the context of the request ended, and when.
    pub(crate) async fn ended(&mut self) -> (Reason, Instant) {
        loop {
            match self.event().await {
                Event::Ended(why, at) => return (why.reason(), at),
                Event::Started | Event::Stopped(..) => {}
            }
        }
    }

    /// Why the work of the request stopped, and when.
    pub(crate) async fn stopped(&mut self) -> (Reason, Instant) {
        loop {
            match self.event().await {
                Event::Stopped(why, at) => return (why.reason(), at),
                Event::Started | Event::Ended(..) => {}
            }
        }
    }

    /// Stops the server and checks that nothing is left of it.
    pub(crate) async fn shut_down(self) -> ServeReport {
        let Stage {
            layer,
            stop,
            serving,
            ..
        } = self;
        stop.cancel();
        let report = within(serving).await.unwrap();
        assert_eq!(layer.live_requests(), 0, "a request's context leaked");
        report
    }

    /// Drops the server as it runs.
    pub(crate) async fn abort(self) {
        self.serving.abort();
        assert!(within(self.serving).await.unwrap_err().is_cancelled());
    }

    /// The end of the server, in order or not.
    pub(crate) async fn end(self) -> ServeReport {
        self.stop.cancel();
        within(self.serving).await.unwrap()
    }
}

fn router(app: App, layer: ContextLayer) -> Router {
    let scoped = Router::new()
        .route("/scoped", get(crate::request_scope::whole))
        .route("/scoped/stream", get(crate::request_scope::streamed))
        .route("/scoped/sized", get(crate::request_scope::sized))
        .route("/scoped/hang", get(crate::request_scope::hang))
        .route("/scoped/fail", get(crate::request_scope::fail))
        .route("/scoped/panic", get(crate::request_scope::panic))
        .layer(RequestScopeLayer::new());
    Router::new()
        .route("/look", get(look))
        .route("/hang", get(hang).post(hang))
        .route("/late", get(late))
        .route("/stubborn", get(stubborn))
        .route("/slow-to-stop", get(slow_to_stop))
        .route("/endless", get(endless))
        .route("/silent", get(silent))
        .route("/events", get(silent_events))
        .route("/sized", get(sized))
        .route("/length", post(async |body: Bytes| body.len().to_string()))
        .route(
            "/panic",
            get(async || panic!("a bug in a handler") as &'static str),
        )
        .route("/large", get(large))
        .merge(
            Router::new()
                .route("/large/encoded", get(large))
                .layer(CompressionLayer::new()),
        )
        .merge(scoped)
        .layer(middleware::from_fn_with_state(app.clone(), watch))
        .layer(layer)
        .with_state(app)
}

/// Tells of each request when its context ends.
async fn watch(State(app): State<App>, ctx: Context, request: Request, next: Next) -> Response {
    drop(app.events.send(Event::Started));
    ctx.on_cancel(move |why| drop(app.events.send(Event::Ended(why.clone(), Instant::now()))))
        .disarm();
    next.run(request).await
}

/// What a handler can learn from its context.
async fn look(ctx: Context) -> Json<Value> {
    Json(json!({
        "remaining_ms": ctx.remaining().map(|left| left.as_micros() as f64 / 1e3),
        "shop": ctx.value::<Shop>(),
        "token": ctx.value::<Token>(),
        "unlisted": ctx.value::<Unlisted>(),
        "trace": ctx.value::<TraceContext>().map(ToString::to_string),
        "plan": ctx.value::<Baggage>().and_then(|baggage| baggage.get("plan")),
        "debug": format!("{ctx:?}"),
    }))
}

/// Has a task do the work, which ends with the context only.
async fn hang(State(app): State<App>, ctx: Context) -> Result<&'static str, ContextError> {
    scope(&ctx, async |s| {
        s.spawn(async move |ctx| {
            let why = ctx.done().await;
            drop(app.events.send(Event::Stopped(why.clone(), Instant::now())));
            Err::<(), _>(why)
        })
        .await
    })
    .await?;
    Ok("never")
}

/// Answers with what ended its context.
async fn late(ctx: Context) -> Result<&'static str, ContextError> {
    ctx.run(std::future::pending::<()>()).await?;
    Ok("never")
}

/// Does not look at its context.
async fn stubborn() -> &'static str {
    std::future::pending().await
}

/// Takes its time after it was asked to stop.
async fn slow_to_stop(ctx: Context) -> &'static str {
    ctx.done().await;
    tokio::time::sleep(Duration::from_millis(1_300)).await;
    "slow"
}

/// A stream that is always ready.
async fn endless() -> Body {
    static CHUNK: [u8; 16 * 1024] = [b'.'; 16 * 1024];
    Body::from_stream(stream::repeat_with(|| {
        Ok::<_, std::io::Error>(Bytes::from_static(&CHUNK))
    }))
}

/// A stream that is never ready again.
async fn silent() -> Body {
    let first = stream::iter([Ok::<_, std::io::Error>("first")]);
    Body::from_stream(futures_util::StreamExt::chain(first, stream::pending()))
}

async fn silent_events() -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, "text/event-stream")],
        silent().await,
    )
}

/// A stream whose length only its header knows, as of a file.
async fn sized() -> impl IntoResponse {
    let body = stream::iter(["0123", "4567"].map(Ok::<_, std::io::Error>));
    ([(header::CONTENT_LENGTH, "8")], Body::from_stream(body))
}

/// Larger than what sockets buffer, whole, and of no pattern that a compressor could find.
async fn large() -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(1);
    std::iter::repeat_with(|| random.u8(..))
        .take(LARGE)
        .collect()
}

pub(crate) const LARGE: usize = 16 << 20;

/// `future`, which is broken if it takes that long.
pub(crate) async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(LONG, future).await.expect("it hangs")
}

/// Asks again and again, for something that has no other way to say it.
pub(crate) async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < LONG, "not in {LONG:?}: {what}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// An answer of HTTP/1.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Sends a request of HTTP/1 and leaves the connection as it is.
pub(crate) async fn send(address: SocketAddr, line: &str, headers: &[(&str, &str)]) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut head = format!("{line} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

/// Reads what is left of an answer, to the end of the connection.
pub(crate) async fn answer(mut stream: TcpStream) -> Answer {
    let mut text = Vec::new();
    within(stream.read_to_end(&mut text)).await.unwrap();
    let text = String::from_utf8(text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    let status = status.unwrap_or_else(|| panic!("no status: {text:?}"));
    Answer {
        status,
        head: head.to_owned(),
        body: body.to_owned(),
    }
}

pub(crate) async fn ask(address: SocketAddr, line: &str, headers: &[(&str, &str)]) -> Answer {
    answer(send(address, line, headers).await).await
}

/// A connection of HTTP/2.
pub(crate) struct H2 {
    pub(crate) client: h2::client::SendRequest<Bytes>,
    pub(crate) connection: JoinHandle<Result<(), h2::Error>>,
}

impl H2 {
    pub(crate) async fn connect(address: SocketAddr) -> H2 {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let builder = h2::client::Builder::new()
            .max_header_list_size(1 << 20)
            .clone();
        let (client, connection) = builder.handshake(stream).await.unwrap();
        H2 {
            client,
            connection: tokio::spawn(connection),
        }
    }

    pub(crate) async fn send(
        &mut self,
        path: &str,
        headers: &[(&str, &str)],
    ) -> (h2::client::ResponseFuture, h2::SendStream<Bytes>) {
        let mut request = http::Request::get(format!("http://test{path}"));
        for (name, value) in headers {
            request = request.header(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let mut client = self.client.clone().ready().await.unwrap();
        client
            .send_request(request.body(()).unwrap(), true)
            .unwrap()
    }

    pub(crate) async fn ask(&mut self, path: &str, headers: &[(&str, &str)]) -> (u16, Value) {
        let (response, _) = self.send(path, headers).await;
        let (head, mut body) = within(response).await.unwrap().into_parts();
        let mut text = Vec::new();
        while let Some(data) = within(body.data()).await {
            let data = data.unwrap();
            body.flow_control().release_capacity(data.len()).unwrap();
            text.extend_from_slice(&data);
        }
        (
            head.status.as_u16(),
            serde_json::from_slice(&text).unwrap_or(Value::Null),
        )
    }
}

/// Sends a request that the server may refuse half-way. Returns the status if there was one.
pub(crate) async fn try_ask(
    address: SocketAddr,
    line: &str,
    headers: &[(&str, &str)],
) -> Option<u16> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut head = format!("{line} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    let (mut read, mut write) = stream.split();
    let mut text = Vec::new();
    // Both ends may be cut off, and that is an answer too.
    let _both = within(async {
        tokio::join!(
            write.write_all(head.as_bytes()),
            read.read_to_end(&mut text)
        )
    })
    .await;
    String::from_utf8_lossy(&text)
        .split(' ')
        .nth(1)?
        .parse()
        .ok()
}
