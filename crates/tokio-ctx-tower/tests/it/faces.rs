//! Extractors and responses of axum.

use std::panic::Location;

use axum::Router;
use axum::body::Body;
use axum::extract::Request as AxumRequest;
use axum::response::IntoResponse;
use axum::routing::get;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_ctx_core::{Context, Reason, owner};
use tokio_ctx_tower::axum::around;
use tokio_ctx_tower::request_scope::RequestScope;
use tokio_ctx_tower::{ContextError, ContextLayer};
use tower::ServiceExt as _;

use crate::stage::{Shop, ask, eventually, send, within};

async fn get_from(app: Router, headers: &[(&str, &str)]) -> (StatusCode, String) {
    let mut request = Request::get("/");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = app
        .oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

fn layer() -> ContextLayer {
    ContextLayer::new(&Context::background()).key::<Shop>()
}

#[tokio::test]
async fn a_missing_layer_is_the_servers_fault() {
    let context = Router::new().route("/", get(async |_: Context| ()));
    let scope = get(async |_: RequestScope| ());
    let scope = Router::new().route("/", scope).layer(layer());
    for (router, layer) in [(context, "ContextLayer"), (scope, "RequestScopeLayer")] {
        let (status, text) = get_from(router, &[]).await;
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(text, format!("the route is not under a {layer}"));
    }
}

#[tokio::test]
async fn each_reason_has_its_status_and_gives_nothing_away() {
    for (reason, status, code) in [
        (Reason::CallerGone, 499, "client_closed_request"),
        (Reason::Deadline, 504, "deadline_exceeded"),
        (Reason::BudgetExhausted, 504, "deadline_exceeded"),
        (Reason::Shutdown, 503, "shutting_down"),
        (Reason::Signal, 503, "shutting_down"),
        (Reason::TaskFailed, 500, "cancelled"),
        (Reason::Cancelled, 500, "cancelled"),
    ] {
        let cause = std::sync::Arc::new(std::io::Error::other("the password is hunter2"));
        let cancelled = owner::cancelled(reason, Location::caller(), Some(cause));
        let response = ContextError::from(cancelled).into_response();
        assert_eq!(response.status().as_u16(), status, "{reason:?}");
        assert_eq!(
            response.headers()["content-type"],
            "application/problem+json"
        );
        assert!(
            response.extensions().get::<ContextError>().is_some(),
            "a layer that logs finds it"
        );
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let json: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(
            (&json["status"], &json["code"]),
            (&status.into(), &code.into())
        );
        assert_eq!(json.as_object().unwrap().len(), 3, "{json}");
        let text = json.to_string();
        assert!(!text.contains("hunter2") && !text.contains(".rs"), "{text}");
    }
}

#[tokio::test]
async fn a_layer_inside_another_narrows() {
    let inner =
        ContextLayer::new(&Context::background()).max_timeout(std::time::Duration::from_secs(1));
    let app = Router::new()
        .route(
            "/",
            get(async |ctx: Context| {
                format!(
                    "{:?} {:?}",
                    ctx.value::<Shop>(),
                    ctx.remaining() <= Some(std::time::Duration::from_secs(1))
                )
            }),
        )
        .layer(inner)
        .layer(layer().max_timeout(std::time::Duration::from_secs(9)));
    assert_eq!(get_from(app, &[("x-shop", "17")]).await.1, "Some(17) true");
}

#[tokio::test]
async fn around_a_router_requests_have_a_context_to_their_end() {
    let (seen, mut contexts) = mpsc::unbounded_channel();
    let is_seen = seen.clone();
    let look = async move |ctx: Context| {
        let shop = ctx.value::<Shop>().map_or(0, |shop| *shop);
        is_seen.send(ctx).unwrap();
        shop.to_string()
    };
    let hang = async move |ctx: Context| {
        seen.send(ctx).unwrap();
        std::future::pending::<()>().await;
    };
    let router = Router::new()
        .route("/look", get(look))
        .route("/hang", get(hang));
    let layer = layer();
    let app = around(&layer, router);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = axum::ServiceExt::<AxumRequest>::into_make_service(app);
    let serving = tokio::spawn(async move { axum::serve(listener, app).await });

    let answer = ask(address, "GET /look", &[("x-shop", "17")]).await;
    assert_eq!(answer.body, "17");
    let ctx: Context = within(contexts.recv()).await.unwrap();
    assert_eq!(ctx.done().await.reason(), Reason::RequestFinished);

    let client = send(address, "GET /hang", &[]).await;
    let ctx = within(contexts.recv()).await.unwrap();
    assert_eq!(layer.live_requests(), 1);
    drop(client);
    assert_eq!(within(ctx.done()).await.reason(), Reason::CallerGone);
    eventually("no request is left", || layer.live_requests() == 0).await;
    serving.abort();
}
