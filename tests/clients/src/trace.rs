//! Calls on, as a list in the request says: what a suite of trace contexts asks of a service.

use axum::Json;
use http::StatusCode;
use serde_json::Value;
use tokio_ctx::Context;
use tokio_ctx::tower::headers::TraceContext;
use tokio_ctx::tower::propagate::PropagateLayer;
use tokio_ctx::tower::reqwest::send;

/// For each `{"url": .., "arguments": ..}` of the list it posts the arguments to the address.
pub(crate) async fn call_on(ctx: Context, Json(calls): Json<Value>) -> StatusCode {
    let http = reqwest::Client::new();
    let propagate = PropagateLayer::new().trace_context().without_grpc_timeout();
    for call in calls.as_array().into_iter().flatten() {
        let url = call["url"].as_str().unwrap_or_default();
        let request = http.post(url).body(call["arguments"].to_string());
        let request = request.header("content-type", "application/json");
        let response = send(&span(&ctx), &propagate, request).await;
        let is_good = |response: reqwest::Response| response.status().is_success();
        if !response.is_ok_and(|response| response.is_ok_and(is_good)) {
            return StatusCode::BAD_GATEWAY;
        }
    }
    StatusCode::OK
}

/// The place of one call in the trace: in the caller's, or in a new one.
fn span(ctx: &Context) -> Context {
    let trace = ctx.value::<TraceContext>();
    let trace = trace.map_or_else(|| TraceContext::random(false), TraceContext::child);
    ctx.with_value::<TraceContext>(trace)
}
