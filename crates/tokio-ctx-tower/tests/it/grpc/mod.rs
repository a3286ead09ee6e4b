//! The four kinds of calls of gRPC.

mod stopping;
mod web;

use std::pin::Pin;
use std::time::{Duration, Instant};

use futures_util::{Stream, StreamExt, stream};
use http::HeaderName;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio_ctx_core::{CancelGuard, Cancelled, Context, Reason};
use tokio_ctx_tower::ContextLayer;
use tokio_ctx_tower::propagate::{PropagateLayer, PropagateService};
use tokio_ctx_tower::tonic::{context, to_status};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Code, Request, Response, Status, Streaming};
use tower_layer::Layer;

use crate::stage::{Shop, within};

use self::pb::echo_client::EchoClient;
use self::pb::echo_server::{Echo, EchoServer};
use self::pb::{Ping, Pong};

pub(crate) mod pb {
    #![allow(
        missing_docs,
        unreachable_pub,
        clippy::all,
        clippy::pedantic,
        reason = "generated"
    )]
    include!("echo.gen.rs");
}

/// Long enough for a call to arrive, short enough to wait for.
const SOON: Duration = Duration::from_millis(60);

type Pongs = Pin<Box<dyn Stream<Item = Result<Pong, Status>> + Send>>;

/// Says what it is asked: `left` in microseconds, `shop`; or does what it is asked: `hang` and
/// look at the context, be `stubborn` and look at nothing.
pub(crate) struct EchoService {
    began: UnboundedSender<()>,
    ended: UnboundedSender<Cancelled>,
}

impl EchoService {
    fn begin<T>(&self, request: &Request<T>) -> Context {
        let ctx = context(request);
        let ended = self.ended.clone();
        ctx.on_cancel(move |why| drop(ended.send(why.clone())))
            .disarm();
        self.began.send(()).unwrap_or_default();
        ctx
    }
}

async fn obey(ctx: &Context, text: String) -> Result<Pong, Status> {
    let text = match text.as_str() {
        "left" => ctx
            .remaining()
            .map_or(0, |left| left.as_micros())
            .to_string(),
        "shop" => format!("{:?}", ctx.value::<Shop>()),
        "hang" => ctx.run(std::future::pending()).await.map_err(to_status)?,
        "stubborn" => std::future::pending().await,
        _ => text,
    };
    Ok(Pong { text })
}

#[tonic::async_trait]
impl Echo for EchoService {
    type DownStream = Pongs;
    type BothStream = Pongs;

    async fn once(&self, request: Request<Ping>) -> Result<Response<Pong>, Status> {
        let ctx = self.begin(&request);
        obey(&ctx, request.into_inner().text)
            .await
            .map(Response::new)
    }

    async fn down(&self, request: Request<Ping>) -> Result<Response<Pongs>, Status> {
        let ctx = self.begin(&request);
        let first = stream::iter([Ok(Pong {
            text: "first".into(),
        })]);
        let second = stream::once(async move { obey(&ctx, request.into_inner().text).await });
        Ok(Response::new(first.chain(second).boxed()))
    }

    async fn up(&self, request: Request<Streaming<Ping>>) -> Result<Response<Pong>, Status> {
        let ctx = self.begin(&request);
        let mut pings = request.into_inner();
        let mut last = Ping::default();
        while let Some(ping) = pings.message().await? {
            last = ping;
        }
        obey(&ctx, last.text).await.map(Response::new)
    }

    async fn both(&self, request: Request<Streaming<Ping>>) -> Result<Response<Pongs>, Status> {
        let ctx = self.begin(&request);
        let pongs = request.into_inner().then(move |ping| {
            let ctx = ctx.clone();
            async move { obey(&ctx, ping?.text).await }
        });
        Ok(Response::new(pongs.boxed()))
    }
}

/// A server of tonic, and a client of it.
pub(crate) struct GrpcStage {
    pub(crate) layer: ContextLayer,
    began: UnboundedReceiver<()>,
    pub(crate) ended: UnboundedReceiver<Cancelled>,
    pub(crate) client: EchoClient<PropagateService<Channel>>,
    stop: CancelGuard,
    serving: JoinHandle<Result<(), tonic::transport::Error>>,
}

impl GrpcStage {
    pub(crate) async fn start() -> GrpcStage {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (send_began, began) = unbounded_channel();
        let (send_ended, ended) = unbounded_channel();
        let stop = Context::background().with_cancel();
        let layer = ContextLayer::new(&stop)
            .key::<Shop>()
            .timeout_header(HeaderName::from_static("x-timeout-ms"))
            .max_timeout(Duration::from_secs(60));
        let server = Server::builder()
            .layer(layer.clone())
            .add_service(EchoServer::new(EchoService {
                began: send_began,
                ended: send_ended,
            }));
        let done = stop.done_owned();
        let serving = tokio::spawn(async move {
            let incoming = TcpListenerStream::new(listener);
            server
                .serve_with_incoming_shutdown(incoming, async { drop(done.await) })
                .await
        });
        let channel = Endpoint::try_from(format!("http://{address}"))
            .unwrap()
            .connect_lazy();
        let client = EchoClient::new(PropagateLayer::new().key::<Shop>().layer(channel));
        GrpcStage {
            layer,
            began,
            ended,
            client,
            stop,
            serving,
        }
    }

    /// A handler has looked at its context. Of a call before, unless each one is waited for.
    async fn began(&mut self) {
        within(self.began.recv()).await.unwrap();
    }

    /// Why the context of the call ended, as the server sees it.
    pub(crate) async fn ended(&mut self) -> Cancelled {
        within(self.ended.recv()).await.unwrap()
    }

    pub(crate) async fn shut_down(self) {
        let GrpcStage {
            layer,
            client,
            stop,
            serving,
            ..
        } = self;
        drop(client);
        stop.cancel();
        within(serving).await.unwrap().unwrap();
        assert_eq!(layer.live_requests(), 0, "a call's context leaked");
    }
}

fn ping(text: &str) -> Ping {
    Ping {
        text: text.to_owned(),
    }
}

/// Pings, and then silence without an end.
fn pings(text: &'static str) -> impl Stream<Item = Ping> + Send + 'static {
    stream::iter([ping(text)]).chain(stream::pending())
}

/// Pings, and then the end.
fn last_ping(text: &'static str) -> impl Stream<Item = Ping> + Send + 'static {
    stream::iter([ping("first"), ping(text)])
}

/// A call of each kind, to its end: the last message, or the status.
async fn call(
    kind: &str,
    client: &mut EchoClient<PropagateService<Channel>>,
    text: &'static str,
    adapt: impl Fn(&mut Request<()>),
) -> Result<String, Status> {
    fn with<T>(message: T, adapt: &impl Fn(&mut Request<()>)) -> Request<T> {
        let mut request = Request::new(());
        adapt(&mut request);
        request.map(|()| message)
    }
    async fn last(mut pongs: Streaming<Pong>) -> Result<String, Status> {
        let mut last = String::new();
        while let Some(pong) = pongs.message().await? {
            last = pong.text;
        }
        Ok(last)
    }
    match kind {
        "once" => Ok(client
            .once(with(ping(text), &adapt))
            .await?
            .into_inner()
            .text),
        "down" => last(client.down(with(ping(text), &adapt)).await?.into_inner()).await,
        "up" => Ok(client
            .up(with(last_ping(text), &adapt))
            .await?
            .into_inner()
            .text),
        "both" => {
            last(
                client
                    .both(with(last_ping(text), &adapt))
                    .await?
                    .into_inner(),
            )
            .await
        }
        _ => unreachable!("there are four kinds"),
    }
}

const KINDS: [&str; 4] = ["once", "down", "up", "both"];

#[tokio::test]
async fn calls_of_each_kind_end_as_finished() {
    let mut stage = GrpcStage::start().await;
    for kind in KINDS {
        let echoed = call(kind, &mut stage.client, "hello", |_| {})
            .await
            .unwrap();
        assert_eq!(echoed, "hello");
        assert_eq!(
            stage.ended().await.reason(),
            Reason::RequestFinished,
            "{kind}"
        );
    }
    stage.shut_down().await;
}

#[tokio::test]
async fn the_deadline_and_the_listed_keys_of_a_caller_arrive() {
    let mut stage = GrpcStage::start().await;
    let ctx = Context::background()
        .with_value::<Shop>(17)
        .with_timeout(Duration::from_secs(30));
    for kind in KINDS {
        let under = |request: &mut Request<()>| drop(request.extensions_mut().insert(ctx.clone()));
        let left = call(kind, &mut stage.client, "left", under).await.unwrap();
        let left: u64 = left.parse().unwrap();
        assert!((20_000_000..30_000_000).contains(&left), "{kind}: {left}");
        assert_eq!(
            call(kind, &mut stage.client, "shop", under).await.unwrap(),
            "Some(17)"
        );
    }
    stage.shut_down().await;
}

/// A header that the client's side does not know, so only the server can answer.
#[tokio::test]
async fn the_server_answers_a_deadline_with_its_status() {
    let mut stage = GrpcStage::start().await;
    for kind in KINDS {
        for text in ["hang", "stubborn"] {
            let late = call(kind, &mut stage.client, text, |request| {
                request
                    .metadata_mut()
                    .insert("x-timeout-ms", "60".parse().unwrap());
            });
            let status = within(late).await.unwrap_err();
            assert_eq!(
                status.code(),
                Code::DeadlineExceeded,
                "{kind} {text}: {status:?}"
            );
            assert_eq!(
                stage.ended().await.reason(),
                Reason::Deadline,
                "{kind} {text}"
            );
        }
    }
    stage.shut_down().await;
}

/// tonic itself would say CANCELLED: it knows a timeout, but no deadline.
#[tokio::test]
async fn a_grpc_timeout_is_a_deadline_on_both_sides() {
    let mut stage = GrpcStage::start().await;
    for kind in KINDS {
        for text in ["hang", "stubborn"] {
            let ctx = Context::background().with_timeout(SOON);
            let started = Instant::now();
            let late = call(kind, &mut stage.client, text, |request| {
                drop(request.extensions_mut().insert(ctx.clone()));
            });
            let status = within(late).await.unwrap_err();
            assert_eq!(
                status.code(),
                Code::DeadlineExceeded,
                "{kind} {text}: {status:?}"
            );
            assert!(started.elapsed() >= SOON, "{kind} {text}");
            // Its clock started a little later, so it may hear of the end from the client.
            let reason = stage.ended().await.reason();
            assert!(
                matches!(reason, Reason::Deadline | Reason::CallerGone),
                "{kind}: {reason:?}"
            );
        }
    }
    stage.shut_down().await;
}

#[tokio::test]
async fn a_caller_that_is_cancelled_stops_the_work_of_the_server() {
    let mut stage = GrpcStage::start().await;
    for kind in KINDS {
        let ctx = Context::background().with_cancel();
        let under =
            |request: &mut Request<()>| drop(request.extensions_mut().insert(Context::clone(&ctx)));
        let mut client = stage.client.clone();
        let calling = call(kind, &mut client, "hang", under);
        let (status, ()) = tokio::join!(within(calling), async {
            stage.began().await;
            ctx.cancel();
        });
        assert_eq!(status.unwrap_err().code(), Code::Cancelled, "{kind}");
        assert_eq!(stage.ended().await.reason(), Reason::CallerGone, "{kind}");
    }
    stage.shut_down().await;
}

#[tokio::test]
async fn a_caller_that_drops_its_call_stops_the_work_of_the_server() {
    let mut stage = GrpcStage::start().await;
    for kind in KINDS {
        let mut client = stage.client.clone();
        let text = if kind == "both" || kind == "up" {
            "never read"
        } else {
            "hang"
        };
        let calling = async {
            match kind {
                "once" => drop(client.once(ping(text)).await),
                "down" => drop(call("down", &mut client, text, |_| {}).await),
                "up" => drop(client.up(pings(text)).await),
                _ => {
                    // hyper does not tell the server of an answer that is dropped while the
                    // request still streams, so that stream has to end as well.
                    let ctx = Context::background().with_cancel();
                    let pings = pings(text).take_until(ctx.done_owned());
                    let mut pongs = client.both(pings).await.unwrap().into_inner();
                    while pongs.message().await.is_ok_and(|pong| pong.is_some()) {}
                }
            }
        };
        tokio::select! {
            () = calling => panic!("{kind}: the call ended by itself"),
            () = stage.began() => {}
        }
        assert_eq!(stage.ended().await.reason(), Reason::CallerGone, "{kind}");
    }
    stage.shut_down().await;
}

#[tokio::test]
async fn a_server_that_stops_says_so() {
    let mut stage = GrpcStage::start().await;
    let stop = stage.stop.handle();
    let mut client = stage.client.clone();
    let (status, ()) = tokio::join!(within(call("once", &mut client, "hang", |_| {})), async {
        stage.began().await;
        assert!(stop.cancel_with(Reason::Shutdown));
    });
    let status = status.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    assert!(
        !status.message().contains(".rs"),
        "a place in the source: {status:?}"
    );
    stage.shut_down().await;
}

#[tokio::test]
async fn an_ended_context_sends_nothing() {
    let mut stage = GrpcStage::start().await;
    let ctx = Context::background().with_timeout(Duration::ZERO);
    for kind in KINDS {
        let status = call(kind, &mut stage.client, "hello", |request| {
            drop(request.extensions_mut().insert(ctx.clone()));
        });
        assert_eq!(
            status.await.unwrap_err().code(),
            Code::DeadlineExceeded,
            "{kind}"
        );
    }
    assert!(stage.ended.try_recv().is_err(), "a call arrived");
    stage.shut_down().await;
}

/// tonic enforces it, and by itself calls it CANCELLED.
#[tokio::test]
async fn a_timeout_of_the_request_itself_is_a_deadline_too() {
    let mut stage = GrpcStage::start().await;
    let ctx = Context::background().with_cancel();
    let status = call("once", &mut stage.client, "stubborn", |request| {
        request.extensions_mut().insert(Context::clone(&ctx));
        request.set_timeout(SOON);
    });
    let status = within(status).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status:?}");
    stage.shut_down().await;
}

/// tonic's own timeout is outside of all layers, so that the layer sees a hang-up.
#[tokio::test]
async fn the_timeout_of_tonics_server_looks_like_a_hang_up_and_a_default_does_not() {
    for (of_tonic, code, reason) in [
        (true, Code::Cancelled, Reason::CallerGone),
        (false, Code::DeadlineExceeded, Reason::Deadline),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (began, _began) = unbounded_channel();
        let (ended, mut seen) = unbounded_channel();
        let mut layer = ContextLayer::new(&Context::background());
        let mut server = Server::builder();
        if of_tonic {
            server = server.timeout(SOON);
        } else {
            layer = layer.default_timeout(SOON);
        }
        let server = server
            .layer(layer)
            .add_service(EchoServer::new(EchoService { began, ended }));
        let serving = tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        let channel = Endpoint::try_from(format!("http://{address}"))
            .unwrap()
            .connect_lazy();
        let mut client = EchoClient::new(channel);
        let status = within(client.once(ping("stubborn"))).await.unwrap_err();
        assert_eq!(status.code(), code, "{status:?}");
        assert_eq!(within(seen.recv()).await.unwrap().reason(), reason);
        serving.abort();
    }
}
