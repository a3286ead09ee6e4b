//! The service that the clients call: HTTP, WebSocket, gRPC and grpc-web on one port, and a
//! second port that says what became of the requests.

use std::collections::HashMap;
use std::error::Error;
use std::io::Write as _;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{Query, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Json, Router};
use futures_util::{StreamExt as _, stream};
use http::{HeaderName, StatusCode, header};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::sleep;
use tokio_ctx::tower::request_scope::{RequestScope, RequestScopeLayer};
use tokio_ctx::tower::serve::{ServeOptions, Upgrade};
use tokio_ctx::tower::{ContextError, ContextLayer};
use tokio_ctx::{Context, ScopeSnapshot, scope, snapshot};
use tonic::service::Routes;
use tonic_web::GrpcWebLayer;

use crate::check_id::CheckId;
use crate::grpc::EchoService;
use crate::grpc::pb::echo_server::EchoServer;
use crate::log::Log;

/// Serves until SIGTERM, and prints both addresses first and what was left at last.
pub(crate) async fn run(ctx: &Context) -> Result<(), Box<dyn Error + Send + Sync>> {
    let ctx = ctx.with_signals()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let admin = TcpListener::bind("127.0.0.1:0").await?;
    let (url, admin_url) = (listener.local_addr()?, admin.local_addr()?);
    println!("http://{url} http://{admin_url}");
    std::io::stdout().flush()?;

    let log = Log::default();
    let kept = log.clone();
    // Shorter than anybody waits here, and longer than any work.
    let options = ServeOptions::new()
        .drain(Duration::from_secs(5))
        .grace(Duration::from_secs(1));
    let report = options
        .serve(&ctx, listener, |server| {
            let layer = ContextLayer::new(server.context())
                .timeout_header(HeaderName::from_static("x-timeout-ms"))
                .max_timeout(Duration::from_secs(60))
                .trace_context()
                .key::<CheckId>();
            tokio::spawn(serve_admin(admin, log.clone(), layer.clone()));
            app(log, layer)
        })
        .await;
    println!("ended {}", kept.to_json());
    println!("{report}");
    match report.is_clean() {
        true => Ok(()),
        false => Err("something was cut off".into()),
    }
}

async fn serve_admin(listener: TcpListener, log: Log, layer: ContextLayer) {
    let live = move || {
        let (tree, requests) = (snapshot(), layer.live_requests());
        let (tasks, scopes) = count(&tree.scopes);
        let live = json!({ "requests": requests, "tasks": tasks, "scopes": scopes });
        async move { Json(live) }
    };
    let app = Router::new()
        .route("/began", get(began))
        .route("/ended", get(ended))
        .route("/live", get(live))
        .with_state(log);
    if let Err(error) = axum::serve(listener, app).await {
        eprintln!("the second port is gone: {error}");
    }
}

/// How many tasks there are in those scopes, and how many scopes.
fn count(scopes: &[ScopeSnapshot]) -> (usize, usize) {
    let of_each = scopes.iter().map(|scope| {
        let (tasks, inside) = count(&scope.scopes);
        (scope.tasks.len() + tasks, 1 + inside)
    });
    of_each.fold((0, 0), |sum, of_one| (sum.0 + of_one.0, sum.1 + of_one.1))
}

type Ids = Query<HashMap<String, String>>;

async fn began(State(log): State<Log>, Query(query): Ids) -> StatusCode {
    match log
        .wait_began(query.get("id").map_or("", String::as_str))
        .await
    {
        true => StatusCode::OK,
        false => StatusCode::GATEWAY_TIMEOUT,
    }
}

async fn ended(State(log): State<Log>, Query(query): Ids) -> Json<Value> {
    Json(Value::from(
        log.wait_ended(query.get("id").map_or("", String::as_str))
            .await,
    ))
}

fn app(log: Log, layer: ContextLayer) -> Router {
    let scoped = Router::new()
        .route("/scoped", get(scoped))
        .layer(RequestScopeLayer::new());
    let grpc = Routes::new(EchoServer::new(EchoService)).into_axum_router();
    Router::new()
        .route("/hello", get(async || "hello"))
        .route("/hang", get(hang))
        .route("/work", get(work))
        .route("/upload", post(upload))
        .route("/download", get(download))
        .route("/stream", get(endless))
        .route("/ws", any(echo))
        .route("/trace", post(crate::trace::call_on))
        .merge(scoped)
        .merge(grpc.layer(GrpcWebLayer::new()))
        .layer(middleware::from_fn_with_state(log, watch))
        .layer(layer)
}

/// Takes note of each request that says which check it belongs to.
async fn watch(ctx: Context, State(log): State<Log>, request: Request, next: Next) -> Response {
    // Handlers take note of an upgrade, whose context is another one, and of a call of gRPC.
    let headers = request.headers();
    let is_grpc = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|of| of.as_bytes().starts_with(b"application/grpc"));
    let is_upgrade = headers.contains_key(header::UPGRADE);
    if let (Some(id), false) = (ctx.value::<CheckId>(), is_upgrade || is_grpc) {
        log.watch(&ctx, id);
    }
    let mut request = request;
    request.extensions_mut().insert(log);
    next.run(request).await
}

/// Work in a task, which ends with the context only.
async fn hang(ctx: Context) -> Result<&'static str, ContextError> {
    scope(&ctx, async |s| {
        s.spawn(async |ctx| Err::<(), _>(ctx.done().await)).await
    })
    .await?;
    Ok("never")
}

/// Work that takes a while, and must not be cut off when the server stops.
async fn work(ctx: Context) -> Result<&'static str, ContextError> {
    ctx.run(sleep(Duration::from_millis(600))).await?;
    Ok("done")
}

/// How long the body is, if all of it comes in time.
async fn upload(ctx: Context, body: Body) -> Result<String, ContextError> {
    let body = ctx.run(axum::body::to_bytes(body, usize::MAX)).await?;
    Ok(body.map_or(0, |body| body.len()).to_string())
}

/// Of known length, and more than sockets buffer.
async fn download() -> impl IntoResponse {
    const PART: &[u8] = &[b'.'; 64 << 10];
    let parts = stream::iter([PART; 512]).map(Ok::<_, std::io::Error>);
    (
        [(header::CONTENT_LENGTH, (PART.len() * 512).to_string())],
        Body::from_stream(parts),
    )
}

/// A stream without an end.
async fn endless() -> Body {
    let parts = stream::iter(0..).then(|number| async move {
        if number > 0 {
            sleep(Duration::from_millis(5)).await;
        }
        Ok::<_, std::io::Error>(Bytes::from_static(b"part\n"))
    });
    Body::from_stream(parts)
}

/// An answer that waits for a task, with a body whose length only the header knows.
async fn scoped(scope: RequestScope) -> impl IntoResponse {
    scope.spawn(async |ctx: Context| Ok(ctx.run(sleep(Duration::from_millis(50))).await?));
    let parts = stream::iter(["1234", "5678"].map(Ok::<_, std::io::Error>));
    ([(header::CONTENT_LENGTH, "8")], Body::from_stream(parts))
}

/// Says again what it is told, until the client or the server is done.
async fn echo(
    axum::Extension(log): axum::Extension<Log>,
    upgrade: Upgrade,
    socket: WebSocketUpgrade,
) -> Response {
    if let Some(id) = upgrade.context().value::<CheckId>() {
        log.watch(upgrade.context(), id);
    }
    socket.on_upgrade(|socket| upgrade.run(async move |ctx| talk(&ctx, socket).await))
}

async fn talk(ctx: &Context, mut socket: WebSocket) {
    while let Ok(message) = ctx.run(socket.recv()).await {
        let answered = match message {
            Some(Ok(Message::Close(_)) | Err(_)) | None => return,
            Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => {
                socket.send(message).await
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(()),
        };
        if answered.is_err() {
            return;
        }
    }
    let away = CloseFrame {
        code: close_code::AWAY,
        reason: "the server stops".into(),
    };
    if socket.send(Message::Close(Some(away))).await.is_ok() {
        // The client's own goodbye.
        while let Some(Ok(_)) = socket.recv().await {}
    }
}
