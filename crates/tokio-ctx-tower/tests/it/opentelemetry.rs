//! What OpenTelemetry's crates write is read here, and what is written here they read.

use http::{HeaderMap, HeaderValue};
use opentelemetry::baggage::BaggageExt as _;
use opentelemetry::propagation::{TextMapCompositePropagator, TextMapPropagator};
use opentelemetry::trace::{
    SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{Context as OtelContext, KeyValue};
use opentelemetry_http::{HeaderExtractor, HeaderInjector};
use opentelemetry_sdk::propagation::{BaggagePropagator, TraceContextPropagator};
use tokio_ctx_core::Context;
use tokio_ctx_tower::ContextLayer;
use tokio_ctx_tower::headers::{Baggage, TraceContext};
use tokio_ctx_tower::propagate::PropagateLayer;

fn otel() -> TextMapCompositePropagator {
    TextMapCompositePropagator::new(vec![
        Box::new(TraceContextPropagator::new()),
        Box::new(BaggagePropagator::new()),
    ])
}

#[test]
fn a_trace_and_its_baggage_go_to_opentelemetry_and_back() {
    let state = TraceState::from_key_value([("congo", "t61rcWkgMzE"), ("rojo", "1")]).unwrap();
    let span = SpanContext::new(
        TraceId::from_bytes([7; 16]),
        SpanId::from_bytes([1; 8]),
        TraceFlags::SAMPLED,
        true,
        state,
    );
    let theirs = OtelContext::new()
        .with_remote_span_context(span.clone())
        .with_baggage([KeyValue::new("city", "K\u{f6}ln, am Rhein")]);
    let mut headers = HeaderMap::new();
    otel().inject_context(&theirs, &mut HeaderInjector(&mut headers));

    let layer = ContextLayer::new(&Context::background())
        .trace_context()
        .key::<Baggage>();
    let ours = layer.extract(&headers);
    let trace = ours.value::<TraceContext>().unwrap();
    assert_eq!(trace.trace_id(), [7; 16]);
    assert_eq!(trace.parent_id(), [1; 8]);
    assert!(trace.is_sampled());
    assert_eq!(trace.state(), "congo=t61rcWkgMzE,rojo=1");
    let city = ours.value::<Baggage>().unwrap().get("city");
    assert_eq!(city, Some("K\u{f6}ln, am Rhein"));
    assert_eq!(layer.ignored_headers(), 0);

    let mut headers = HeaderMap::new();
    let propagate = PropagateLayer::new().trace_context().key::<Baggage>();
    propagate.inject(&ours, &mut headers).unwrap();
    let back = otel().extract(&HeaderExtractor(&headers));
    assert_eq!(back.span().span_context(), &span);
    let city = back.baggage().get("city").map(ToString::to_string);
    assert_eq!(city.as_deref(), Some("K\u{f6}ln, am Rhein"));
}

/// A hop with a tracer of its own: the layer leaves what the tracer wrote alone.
#[test]
fn what_a_tracer_wrote_stays() {
    let trace = TraceContext::random(true);
    let ctx = Context::background().with_value::<TraceContext>(trace);
    let theirs = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let mut headers = HeaderMap::new();
    headers.insert("traceparent", HeaderValue::from_static(theirs));
    headers.insert("tracestate", HeaderValue::from_static("rojo=1"));
    let propagate = PropagateLayer::new().trace_context();
    propagate.inject(&ctx, &mut headers).unwrap();
    assert_eq!(headers["traceparent"], theirs);
    assert_eq!(headers["tracestate"], "rojo=1");
}
