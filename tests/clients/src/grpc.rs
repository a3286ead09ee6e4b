//! The gRPC half of the service, with the protocol of the tests of `tokio-ctx-tower`.

use std::pin::Pin;
use std::time::Duration;

use futures_util::{Stream, StreamExt as _, stream};
use tokio_ctx::Context;
use tokio_ctx::tower::tonic::{context, to_status};
use tonic::{Request, Response, Status, Streaming};

use self::pb::echo_server::Echo;
use self::pb::{Ping, Pong};
use crate::check_id::CheckId;
use crate::log::Log;

pub(crate) mod pb {
    #![allow(
        missing_docs,
        unreachable_pub,
        clippy::all,
        clippy::pedantic,
        reason = "generated"
    )]
    include!("../../../crates/tokio-ctx-tower/tests/it/grpc/echo.gen.rs");
}

type Pongs = Pin<Box<dyn Stream<Item = Result<Pong, Status>> + Send>>;

/// Takes note of a call whose message is here. Before that, a client that leaves makes the
/// message fail: there is no handler yet, and tonic answers by itself.
fn begin<T>(request: &Request<T>) -> Context {
    let ctx = context(request);
    let log = request.extensions().get::<Log>();
    if let (Some(log), Some(id)) = (log, ctx.value::<CheckId>()) {
        log.watch(&ctx, id);
    }
    ctx
}

/// Says what it is told, or does it: `hang`, or `work` for a while.
pub(crate) struct EchoService;

async fn obey(ctx: &Context, text: String) -> Result<Pong, Status> {
    match text.as_str() {
        "hang" => ctx.run(std::future::pending()).await.map_err(to_status),
        "work" => {
            let work = tokio::time::sleep(Duration::from_millis(600));
            ctx.run(work).await.map_err(to_status)?;
            Ok(Pong {
                text: "done".into(),
            })
        }
        _ => Ok(Pong { text }),
    }
}

#[tonic::async_trait]
impl Echo for EchoService {
    type DownStream = Pongs;
    type BothStream = Pongs;

    async fn once(&self, request: Request<Ping>) -> Result<Response<Pong>, Status> {
        let ctx = begin(&request);
        let pong = obey(&ctx, request.into_inner().text).await?;
        Ok(Response::new(pong))
    }

    async fn down(&self, request: Request<Ping>) -> Result<Response<Pongs>, Status> {
        let ctx = begin(&request);
        let first = Pong {
            text: "first".into(),
        };
        let second = async move { obey(&ctx, request.into_inner().text).await };
        let pongs = stream::iter([Ok(first)]).chain(stream::once(second));
        Ok(Response::new(pongs.boxed()))
    }

    async fn up(&self, request: Request<Streaming<Ping>>) -> Result<Response<Pong>, Status> {
        let ctx = begin(&request);
        let mut pings = request.into_inner();
        let mut last = Ping::default();
        while let Some(ping) = pings.message().await? {
            last = ping;
        }
        obey(&ctx, last.text).await.map(Response::new)
    }

    async fn both(&self, request: Request<Streaming<Ping>>) -> Result<Response<Pongs>, Status> {
        let ctx = begin(&request);
        let pongs = request.into_inner().then(move |ping| {
            let ctx = ctx.clone();
            async move { obey(&ctx, ping?.text).await }
        });
        Ok(Response::new(pongs.boxed()))
    }
}
