//! The clients that this project has adapters for, called as the scripts are.

use std::error::Error;
use std::time::Duration;

use axum::body::Body;
use http::Request;
use http_body_util::BodyExt as _;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio_ctx::tower::ContextError;
use tokio_ctx::tower::propagate::PropagateLayer;
use tokio_ctx::tower::reqwest::send;
use tokio_ctx::tower::tonic::under;
use tokio_ctx::{CancelHandle, Cancelled, Context};
use tonic::transport::Endpoint;
use tonic::{Code, Status};
use tower::ServiceExt as _;
use tower_layer::Layer as _;

use crate::check_id::CheckId;
use crate::grpc::pb::Ping;
use crate::grpc::pb::echo_client::EchoClient;
use crate::log::now_ms;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// What a script gets.
pub(crate) struct Args {
    pub(crate) way: String,
    pub(crate) url: String,
    pub(crate) admin: String,
    pub(crate) id: String,
}

impl Args {
    async fn began(&self) -> Result<()> {
        let url = format!("{}/began?id={}", self.admin, self.id);
        reqwest::get(url).await?.error_for_status()?;
        Ok(())
    }

    fn acted(&self) {
        println!("acted {}", now_ms());
    }

    /// The path that a way is about.
    fn path(&self) -> &'static str {
        match self.way.as_str() {
            "good" => "/hello",
            "sigterm" => "/work",
            "cancel-body" | "deadline-client-body" => "/stream",
            _ => "/hang",
        }
    }
}

pub(crate) async fn run(ctx: &Context, client: &str, args: Args) -> Result<()> {
    let ctx = ctx.with_value::<CheckId>(args.id.clone()).with_cancel();
    match client {
        "reqwest" => http(&ctx, &ctx.handle(), &args, by_reqwest).await,
        "hyper-util" => http(&ctx, &ctx.handle(), &args, by_hyper).await,
        "tonic" => grpc(&ctx, &ctx.handle(), &args).await,
        _ => Err(format!("no client is called {client}").into()),
    }
}

fn propagate() -> PropagateLayer {
    PropagateLayer::new().key::<CheckId>()
}

/// The whole body of a GET.
async fn by_reqwest(ctx: Context, url: String) -> Result<String> {
    let response = send(&ctx, &propagate(), reqwest::Client::new().get(url)).await??;
    Ok(response.error_for_status()?.text().await?)
}

async fn by_hyper(ctx: Context, url: String) -> Result<String> {
    let http = Client::builder(TokioExecutor::new()).build_http();
    let request = Request::get(url).extension(ctx).body(Body::empty())?;
    let response = propagate().layer(http).oneshot(request).await?;
    if !response.status().is_success() {
        return Err(response.status().to_string().into());
    }
    let body = response.into_body().collect().await?.to_bytes();
    Ok(String::from_utf8(body.to_vec())?)
}

async fn http<F>(
    ctx: &Context,
    cancel: &CancelHandle,
    args: &Args,
    get: fn(Context, String) -> F,
) -> Result<()>
where
    F: Future<Output = Result<String>> + Send + 'static,
{
    let url = format!("{}{}", args.url, args.path());
    let call = |ctx: Context| get(ctx, url.clone());
    match args.way.as_str() {
        "good" => {
            for _ in 0..20 {
                expect(&call(ctx.clone()).await?, "hello")?;
            }
            Ok(())
        }
        "sigterm" => {
            let work = tokio::spawn(call(ctx.clone()));
            args.began().await?;
            args.acted();
            expect(&work.await??, "done")
        }
        "deadline-client" | "deadline-client-body" => {
            args.acted();
            let late = ctx.with_timeout(Duration::from_millis(200));
            match call(late).await {
                // The server keeps the same deadline, and may be the first to say so.
                Err(error) if error.to_string().contains("504") => Ok(()),
                Err(_) if args.way == "deadline-client-body" => Ok(()),
                result => is_for_the_context(result),
            }
        }
        _ => {
            let cancelled = tokio::spawn(call(ctx.clone()));
            args.began().await?;
            args.acted();
            cancel.cancel();
            is_for_the_context(cancelled.await?)
        }
    }
}

/// Whether a call failed since its context ended, and for nothing else.
fn is_for_the_context(result: Result<String>) -> Result<()> {
    let error = match result {
        Ok(text) => return Err(format!("it succeeded: {} bytes", text.len()).into()),
        Err(error) => error,
    };
    let first: &(dyn Error + 'static) = &*error;
    let is_ours = std::iter::successors(Some(first), |&error| error.source())
        .any(|error| error.is::<ContextError>() || error.is::<Cancelled>());
    is_ours.then_some(()).ok_or(error)
}

async fn grpc(ctx: &Context, cancel: &CancelHandle, args: &Args) -> Result<()> {
    let channel = Endpoint::try_from(args.url.clone())?.connect_lazy();
    let client = EchoClient::new(propagate().layer(channel));
    let once = |text: &str, ctx: &Context| {
        let request = under(ctx, Ping { text: text.into() });
        let mut client = client.clone();
        async move {
            client
                .once(request)
                .await
                .map(|pong| pong.into_inner().text)
        }
    };
    let down = |text: &str, ctx: &Context| {
        let request = under(ctx, Ping { text: text.into() });
        let mut client = client.clone();
        async move {
            let mut pongs = client.down(request).await?.into_inner();
            while pongs.message().await?.is_some() {}
            Ok::<String, Status>(String::new())
        }
    };
    let late = ctx.with_timeout(Duration::from_millis(200));
    match args.way.as_str() {
        "good" => {
            for _ in 0..20 {
                expect(&once("hello", ctx).await?, "hello")?;
            }
            down("hello", ctx).await?;
            Ok(())
        }
        "sigterm" => {
            let work = tokio::spawn(once("work", ctx));
            args.began().await?;
            args.acted();
            expect(&work.await??, "done")
        }
        "deadline-client" => {
            args.acted();
            has_code(once("hang", &late).await, Code::DeadlineExceeded)
        }
        "deadline-client-stream" => {
            args.acted();
            has_code(down("hang", &late).await, Code::DeadlineExceeded)
        }
        way => {
            let call = match way {
                "cancel" => tokio::spawn(once("hang", ctx)),
                _ => tokio::spawn(down("hang", ctx)),
            };
            args.began().await?;
            args.acted();
            cancel.cancel();
            has_code(call.await?, Code::Cancelled)
        }
    }
}

fn has_code(result: std::result::Result<String, Status>, code: Code) -> Result<()> {
    match result {
        Err(status) if status.code() == code => Ok(()),
        other => Err(format!("{other:?} in the place of {code:?}").into()),
    }
}

fn expect(text: &str, wanted: &str) -> Result<()> {
    match text == wanted {
        true => Ok(()),
        false => Err(format!("{text:?} in the place of {wanted:?}").into()),
    }
}
