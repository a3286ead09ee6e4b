//! The processes: an edge on axum, and backends on tonic.

use std::io::Read as _;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_ctx::scope;
use tokio_ctx::tower::headers::{HeaderKey, TraceContext};
use tokio_ctx::tower::propagate::{PropagateLayer, PropagateService};
use tokio_ctx::tower::serve::{ServeOptions, serve};
use tokio_ctx::tower::tonic::{context, to_status, under};
use tokio_ctx::tower::{ContextError, ContextLayer};
use tokio_ctx::view::View;
use tokio_ctx::{CancelGuard, Cancelled, Context, Reason, key};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};
use tower_layer::Layer as _;

use self::pb::backend_client::BackendClient;
use self::pb::backend_server::{Backend, BackendServer};
use self::pb::{Done, Order};
use super::wire::{Event, What, now};
use super::{Failure, LONGEST};

/// What each hop keeps for itself of the time that is left.
const RESERVE: Duration = Duration::from_millis(10);

/// How long a request may go on once its process was asked to stop. Short: the audience waits.
const DRAIN: Duration = Duration::from_millis(50);

mod pb {
    #![allow(
        missing_docs,
        unreachable_pub,
        clippy::all,
        clippy::pedantic,
        reason = "generated"
    )]
    include!("fleet.gen.rs");
}

key! {
    /// On no list: no header can set it.
    Admin: String;
}

impl HeaderKey for Admin {
    const HEADER: HeaderName = HeaderName::from_static("x-admin");

    fn decode(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    fn encode(value: &String) -> Option<String> {
        Some(value.clone())
    }
}

/// What a process works with.
#[derive(Clone)]
struct Hop {
    name: &'static str,
    next: Option<BackendClient<PropagateService<Channel>>>,
}

/// Why a request has no answer.
enum NoAnswer {
    Ended(Cancelled),
    /// From the next process.
    Refused(Status),
}

impl From<Cancelled> for NoAnswer {
    fn from(cancelled: Cancelled) -> NoAnswer {
        NoAnswer::Ended(cancelled)
    }
}

impl From<NoAnswer> for Status {
    fn from(none: NoAnswer) -> Status {
        match none {
            NoAnswer::Ended(cancelled) => to_status(cancelled),
            NoAnswer::Refused(status) => status,
        }
    }
}

impl IntoResponse for NoAnswer {
    fn into_response(self) -> Response {
        match self {
            NoAnswer::Ended(cancelled) => ContextError::from(cancelled).into_response(),
            NoAnswer::Refused(status) if status.code() == Code::DeadlineExceeded => (
                StatusCode::GATEWAY_TIMEOUT,
                "deadline_exceeded, a backend says",
            )
                .into_response(),
            NoAnswer::Refused(status) => {
                (StatusCode::BAD_GATEWAY, status.message().to_owned()).into_response()
            }
        }
    }
}

impl Hop {
    fn new(name: &'static str, next: Option<&str>) -> Result<Hop, Failure> {
        let mut hop = Hop { name, next: None };
        if let Some(next) = next {
            let channel = Endpoint::try_from(format!("http://{next}"))?.connect_lazy();
            let propagate = PropagateLayer::new().reserve(RESERVE).trace_context();
            hop.next = Some(BackendClient::new(propagate.layer(channel)));
        }
        Ok(hop)
    }

    /// Tells the audience what became of a request.
    fn tell(&self, ctx: &Context, what: What) {
        let trace = ctx.value::<TraceContext>().map(ToString::to_string);
        Event {
            process: self.name.to_owned(),
            at: now(),
            // Without the version, and enough of the id to tell one from another.
            trace: trace.unwrap_or_default().chars().skip(3).take(8).collect(),
            is_admin: ctx.value::<Admin>().is_some(),
            what,
        }
        .tell();
    }

    /// Works for that long, and has the next process work at the same time.
    async fn work(&self, ctx: &Context, millis: u64) -> Result<(), NoAnswer> {
        let left = ctx.remaining();
        self.tell(ctx, What::Received { left });
        scope(ctx, async |s| {
            let hop = self.clone();
            // Not stopped by being dropped, which a thread cannot be: it asks.
            let own = s.spawn_blocking(move |ctx| hop.compute(&ctx, Duration::from_millis(millis)));
            if let Some(mut next) = self.next.clone() {
                s.spawn(async move |ctx| {
                    let order = under(&ctx, Order { millis });
                    let done = next.work(order).await.map(drop);
                    // A call that we gave up has a status as well, but we know better why.
                    done.map_err(|status| {
                        ctx.err().map_or(NoAnswer::Refused(status), NoAnswer::Ended)
                    })
                });
            }
            Ok(own.await?)
        })
        .await
    }

    fn compute(&self, ctx: &Context, time: Duration) -> Result<(), NoAnswer> {
        let begun = Instant::now();
        while begun.elapsed() < time {
            if let Err(cancelled) = ctx.check() {
                let why = sentence(&cancelled);
                self.tell(ctx, What::Stopped { why });
                return Err(cancelled.into());
            }
            thread::sleep(Duration::from_millis(1));
        }
        self.tell(ctx, What::Finished);
        Ok(())
    }
}

/// The sentence without the place in the source.
fn sentence(cancelled: &Cancelled) -> String {
    let text = cancelled.to_string();
    text.split(" (").next().unwrap_or_default().to_owned()
}

/// Runs a process, until its standard input is closed; one that has no `next` ends the chain.
pub(crate) async fn run(
    ctx: &Context,
    name: &'static str,
    next: Option<&str>,
) -> Result<ExitCode, Failure> {
    let hop = Hop::new(name, next)?;
    let ctx = until_stdin_closes(ctx);
    let [service, view] = [listen().await?, listen().await?];
    let mut layer = None;
    let serving = ServeOptions::new()
        .drain(DRAIN)
        .serve(&ctx, service, |server| {
            let requests = ContextLayer::new(server.context()).trace_context();
            let requests = layer.insert(requests.max_timeout(LONGEST)).clone();
            let routes = match name {
                "edge" => Router::new()
                    .route("/work/{millis}", get(handler))
                    .with_state(hop),
                _ => tonic::service::Routes::new(BackendServer::new(hop)).into_axum_router(),
            };
            routes.layer(requests)
        });
    let page = Router::new().route_service("/debug/ctx", View::new(&ctx));
    let (report, _) = tokio::join!(serving, serve(&ctx, view, |_| page));
    // The server is joined, so nothing may be left of any request.
    Ok(match layer.as_ref().map(ContextLayer::live_requests) {
        Some(0) if report.is_clean() => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

/// A port of loopback, whose number the process says first.
async fn listen() -> Result<TcpListener, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    Ok(listener)
}

async fn handler(
    ctx: Context,
    State(hop): State<Hop>,
    Path(millis): Path<u64>,
) -> Result<&'static str, NoAnswer> {
    hop.work(&ctx, millis).await?;
    Ok("done")
}

#[tonic::async_trait]
impl Backend for Hop {
    async fn work(&self, request: Request<Order>) -> Result<tonic::Response<Done>, Status> {
        let ctx = context(&request);
        Hop::work(self, &ctx, request.into_inner().millis).await?;
        Ok(tonic::Response::new(Done {}))
    }
}

/// The context of a process: ends when the process that started it says so, or is gone.
fn until_stdin_closes(ctx: &Context) -> CancelGuard {
    let ctx = ctx.with_cancel();
    let handle = ctx.handle();
    // Reading blocks for as long as the process lives, so no runtime has to wait for it.
    thread::spawn(move || {
        let mut rest = Vec::new();
        drop(std::io::stdin().read_to_end(&mut rest));
        handle.cancel_with(Reason::Shutdown);
    });
    ctx
}
