//! tonic under `ServeOptions::run`, which stops in the order of our own server.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_ctx_core::{CancelGuard, Cancelled, Context, Reason};
use tokio_ctx_tower::ContextLayer;
use tokio_ctx_tower::serve::{ServeOptions, ServeReport};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::Code;
use tonic::transport::{Channel, Endpoint, Server};

use super::pb::echo_client::EchoClient;
use super::pb::echo_server::EchoServer;
use super::{EchoService, ping};
use crate::stage::{LONG, eventually, within};

struct Stopping {
    layer: ContextLayer,
    began: UnboundedReceiver<()>,
    ended: UnboundedReceiver<Cancelled>,
    client: EchoClient<Channel>,
    address: SocketAddr,
    stop: CancelGuard,
    serving: JoinHandle<ServeReport>,
}

async fn start(options: ServeOptions) -> Stopping {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (send_began, began) = unbounded_channel();
    let (send_ended, ended) = unbounded_channel();
    let (send_layer, layer) = oneshot::channel();
    let stop = Context::background().with_cancel();
    let ctx = Context::clone(&stop);
    let serving = tokio::spawn(async move {
        let served = options.run(&ctx, |server, stop| {
            let layer = ContextLayer::new(server.context());
            send_layer.send(layer.clone()).unwrap();
            let service = EchoService {
                began: send_began,
                ended: send_ended,
            };
            Server::builder()
                .layer(layer)
                .add_service(EchoServer::new(service))
                .serve_with_incoming_shutdown(TcpListenerStream::new(listener), stop)
        });
        served.await.unwrap()
    });
    let channel = Endpoint::try_from(format!("http://{address}")).unwrap();
    Stopping {
        layer: within(layer).await.unwrap(),
        began,
        ended,
        client: EchoClient::new(channel.connect_lazy()),
        address,
        stop,
        serving,
    }
}

const TERMINATE: Reason = Reason::Signal;

#[tokio::test]
async fn calls_in_flight_are_finished_during_the_drain() {
    let mut stage = start(ServeOptions::new().drain(LONG)).await;
    let (go_on, is_told) = oneshot::channel::<()>();
    let last = stream::once(async move {
        is_told.await.unwrap();
        ping("last")
    });
    let pings = stream::iter([ping("first")]).chain(last);
    let mut client = stage.client.clone();
    let call = tokio::spawn(async move { client.up(pings).await });
    within(stage.began.recv()).await.unwrap();

    assert!(stage.stop.cancel_with(TERMINATE));
    eventually("nobody accepts", || {
        std::net::TcpStream::connect_timeout(&stage.address, Duration::from_secs(1)).is_err()
    })
    .await;
    assert_eq!(
        stage.layer.live_requests(),
        1,
        "the call was not left alone"
    );
    go_on.send(()).unwrap();
    let pong = within(call).await.unwrap().unwrap();
    assert_eq!(pong.into_inner().text, "last");
    let why = within(stage.ended.recv()).await.unwrap();
    assert_eq!(why.reason(), Reason::RequestFinished);
    let report = within(stage.serving).await.unwrap();
    assert!(report.is_clean(), "{report}");
    assert!(report.took() < LONG, "{report}");
}

#[tokio::test]
async fn what_outlives_the_drain_is_told_that_the_server_stops() {
    let mut stage = start(ServeOptions::new().drain(Duration::ZERO)).await;
    let mut client = stage.client.clone();
    let call = tokio::spawn(async move { client.once(ping("hang")).await });
    within(stage.began.recv()).await.unwrap();
    assert!(stage.stop.cancel_with(TERMINATE));
    let status = within(call).await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    assert_eq!(
        within(stage.ended.recv()).await.unwrap().reason(),
        TERMINATE
    );
    let report = within(stage.serving).await.unwrap();
    assert!(report.is_clean(), "{report}");
    assert_eq!(stage.layer.live_requests(), 0);
}

#[tokio::test]
async fn a_call_that_ignores_its_context_is_cut_off_after_the_grace() {
    let options = ServeOptions::new()
        .drain(Duration::ZERO)
        .grace(Duration::from_millis(50));
    let mut stage = start(options).await;
    let mut client = stage.client.clone();
    let call = tokio::spawn(async move { client.once(ping("stubborn")).await });
    within(stage.began.recv()).await.unwrap();
    assert!(stage.stop.cancel_with(TERMINATE));
    let report = within(stage.serving).await.unwrap();
    assert!(!report.is_clean(), "{report}");
    call.abort();
}
