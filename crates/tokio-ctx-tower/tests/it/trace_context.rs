//! Each case of the suite of W3C Trace Context, level 2, against a service that reads the two
//! headers from its caller and sends them on.

use axum::Router;
use axum::extract::{Extension, State};
use axum::routing::get;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::net::TcpListener;
use tokio_ctx_core::Context;
use tokio_ctx_tower::ContextLayer;
use tokio_ctx_tower::headers::TraceContext;
use tokio_ctx_tower::propagate::PropagateLayer;
use tower::ServiceExt as _;
use tower_layer::Layer as _;

use crate::stage::within;

const TRACE: &str = "12345678901234567890123456789012";
const PARENT: &str = "1234567890123456";
const VALID: &str = "00-12345678901234567890123456789012-1234567890123456-00";

/// What a request of the service to another one carries.
#[derive(Debug)]
struct Sent {
    traceparent: String,
    tracestate: String,
}

impl Sent {
    fn trace_id(&self) -> &str {
        self.traceparent.split('-').nth(1).unwrap()
    }

    fn parent_id(&self) -> &str {
        self.traceparent.split('-').nth(2).unwrap()
    }
}

/// Asks a service, which asks another one `calls` times, and returns what that one is sent.
async fn sent(headers: &[(&str, &str)], calls: usize) -> Vec<Sent> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = Router::new()
        .route("/", get(call_on))
        .layer(ContextLayer::new(&Context::background()).trace_context())
        .route("/far", get(far))
        .with_state((address.port(), calls));
    let serving = tokio::spawn(async move { axum::serve(listener, app).await });
    let answer = crate::stage::ask(address, "GET /", headers).await;
    serving.abort();
    assert_eq!(answer.status, 200, "{answer:?}");
    let sent = answer.body.lines().map(|line| {
        let (traceparent, tracestate) = line.split_once('|').unwrap();
        Sent {
            traceparent: traceparent.to_owned(),
            tracestate: tracestate.to_owned(),
        }
    });
    sent.collect()
}

/// A hop that has a span for each call: of the caller's trace, or of a new one.
async fn call_on(
    State((port, calls)): State<(u16, usize)>,
    Extension(ctx): Extension<Context>,
) -> String {
    let mut seen = String::new();
    for _ in 0..calls {
        let trace = ctx.value::<TraceContext>();
        let trace = trace.map_or_else(|| TraceContext::random(false), TraceContext::child);
        let http = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
        let client = PropagateLayer::new().trace_context().layer(http);
        let request = Request::get(format!("http://127.0.0.1:{port}/far"))
            .extension(ctx.with_value::<TraceContext>(trace))
            .body(Empty::new())
            .unwrap();
        let response = within(client.oneshot(request)).await.unwrap();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        seen.push_str(std::str::from_utf8(&body).unwrap());
        seen.push('\n');
    }
    seen
}

async fn far(headers: HeaderMap) -> String {
    let one = |name: &str| {
        let all: Vec<_> = headers
            .get_all(name)
            .iter()
            .map(|value| value.to_str().unwrap())
            .collect();
        assert!(all.len() < 2, "{name}: {all:?}");
        all.concat()
    };
    format!("{}|{}", one("traceparent"), one("tracestate"))
}

async fn one(headers: &[(&str, &str)]) -> Sent {
    let sent = sent(headers, 1).await.pop().unwrap();
    let parts: Vec<_> = sent.traceparent.split('-').map(str::len).collect();
    assert_eq!(parts, [2, 32, 16, 2], "{headers:?}: {sent:?}");
    assert!(sent.traceparent.starts_with("00-"), "{sent:?}");
    sent
}

/// The caller's trace goes on, with a span of the service's own.
async fn goes_on(traceparent: &str) {
    for name in ["traceparent", "TraceParent", "TRACEPARENT"] {
        let sent = one(&[(name, traceparent)]).await;
        assert_eq!(sent.trace_id(), TRACE, "{traceparent:?}");
        assert_ne!(sent.parent_id(), PARENT, "{traceparent:?}");
    }
}

/// A new trace is begun.
async fn starts_anew(headers: &[(&str, &str)]) -> Sent {
    let sent = one(headers).await;
    assert!(
        !sent.trace_id().contains("234567890123456789"),
        "{headers:?}: {sent:?}"
    );
    assert_ne!(sent.trace_id(), "0".repeat(32));
    sent
}

/// The `tracestate` that is sent on, where it comes in those headers beside a valid trace.
async fn state(states: &[&str]) -> String {
    let mut headers = vec![("traceparent", VALID)];
    headers.extend(states.iter().map(|state| ("tracestate", *state)));
    let sent = one(&headers).await;
    assert_eq!(
        sent.trace_id(),
        TRACE,
        "the trace stands, whatever becomes of its state"
    );
    sent.tracestate
}

macro_rules! cases {
    ($($(#[$about:meta])* $name:ident: $check:expr;)*) => {
        $($(#[$about])* #[tokio::test] async fn $name() { $check })*
    };
}

mod traceparent {
    use super::*;

    cases! {
        both_headers_missing: { starts_anew(&[]).await; };
        included_without_tracestate: goes_on("00-12345678901234567890123456789012-1234567890123456-01").await;
        duplicated: {
            let twice = ("traceparent", VALID);
            starts_anew(&[twice, twice]).await;
        };
        wrong_header_names: for name in ["trace-parent", "trace.parent"] {
            starts_anew(&[(name, VALID)]).await;
        };
        header_name_in_any_case: goes_on(VALID).await;
        version_00_with_more: for more in [".", "-what-the-future-will-be-like"] {
            starts_anew(&[("traceparent", &format!("{VALID}{more}"))]).await;
        };
        version_cc: {
            let later = VALID.replacen("00", "cc", 1);
            goes_on(&later).await;
            goes_on(&format!("{later}-what-the-future-will-be-like")).await;
            starts_anew(&[("traceparent", &format!("{later}.what-the-future-will-be-like"))]).await;
        };
        version_ff: { starts_anew(&[("traceparent", &VALID.replacen("00", "ff", 1))]).await; };
        version_illegal_characters: for version in [".0", "0."] {
            starts_anew(&[("traceparent", &VALID.replacen("00", version, 1))]).await;
        };
        version_too_long: for version in ["000", "0000"] {
            starts_anew(&[("traceparent", &VALID.replacen("00", version, 1))]).await;
        };
        version_too_short: { starts_anew(&[("traceparent", &VALID[1..])]).await; };
        trace_id_all_zero: { starts_anew(&[("traceparent", &VALID.replace(TRACE, &"0".repeat(32)))]).await; };
        trace_id_illegal_characters: for id in [format!(".{}", &TRACE[1..]), format!("{}.", &TRACE[..31])] {
            starts_anew(&[("traceparent", &VALID.replace(TRACE, &id))]).await;
        };
        trace_id_too_long: { starts_anew(&[("traceparent", &VALID.replace(TRACE, &format!("{TRACE}3")))]).await; };
        trace_id_too_short: { starts_anew(&[("traceparent", &VALID.replace(TRACE, &TRACE[..31]))]).await; };
        parent_id_all_zero: { starts_anew(&[("traceparent", &VALID.replace("-1234567890123456-", "-0000000000000000-"))]).await; };
        parent_id_illegal_characters: for id in [".234567890123456", "123456789012345."] {
            starts_anew(&[("traceparent", &VALID.replace("-1234567890123456-", &format!("-{id}-")))]).await;
        };
        parent_id_too_long: { starts_anew(&[("traceparent", &VALID.replace("6-00", "67-00"))]).await; };
        parent_id_too_short: { starts_anew(&[("traceparent", &VALID.replace("56-00", "5-00"))]).await; };
        flags_illegal_characters: for flags in [".0", "0."] {
            starts_anew(&[("traceparent", &format!("{}{flags}", &VALID[..53]))]).await;
        };
        flags_too_long: { starts_anew(&[("traceparent", &format!("{VALID}1"))]).await; };
        flags_too_short: { starts_anew(&[("traceparent", &VALID[..54])]).await; };
        white_space_around: for (before, after) in [(" ", ""), ("\t", ""), ("", " "), ("", "\t"), ("\t ", " \t")] {
            goes_on(&format!("{before}{VALID}{after}")).await;
        };
        the_random_flag_goes_on: {
            let sent = one(&[("traceparent", "00-12345678901234567890123456789012-1234567890123456-02")]).await;
            assert_eq!(sent.trace_id(), TRACE);
            assert!(sent.traceparent.ends_with("-02"), "{sent:?}");
        };
        several_calls_have_a_span_each: for (parent, in_trace) in [(Some(VALID), true), (None, false), (Some("00-0-0-0"), false)] {
            let headers: Vec<_> = parent.iter().map(|parent| ("traceparent", *parent)).collect();
            let all = sent(&headers, 3).await;
            let mut spans: Vec<_> = all.iter().map(Sent::parent_id).collect();
            spans.sort_unstable();
            spans.dedup();
            assert_eq!(spans.len(), 3, "{all:?}");
            assert!(all.iter().all(|sent| (sent.trace_id() == TRACE) == in_trace), "{all:?}");
        };
    }
}

mod tracestate {
    use super::*;

    cases! {
        without_traceparent: for states in ["foo=1", "foo=1,bar=2"] {
            assert_eq!(starts_anew(&[("tracestate", states)]).await.tracestate, "");
        };
        beside_a_malformed_traceparent: {
            let sent = starts_anew(&[("traceparent", "00-0-0-0"), ("tracestate", "foo=1")]).await;
            assert_eq!(sent.tracestate, "");
        };
        included: assert_eq!(state(&["foo=1,bar=2"]).await, "foo=1,bar=2");
        wrong_header_names: for name in ["trace-state", "trace.state"] {
            let sent = one(&[("traceparent", VALID), (name, "foo=1")]).await;
            assert_eq!(sent.tracestate, "");
        };
        header_name_in_any_case: for name in ["TraceState", "TrAcEsTaTe", "TRACESTATE"] {
            let sent = one(&[("traceparent", VALID), (name, "foo=1")]).await;
            assert_eq!(sent.tracestate, "foo=1");
        };
        empty: {
            assert_eq!(state(&[""]).await, "");
            assert_eq!(state(&["foo=1", ""]).await, "foo=1");
            assert_eq!(state(&["", "foo=1"]).await, "foo=1");
        };
        several_headers: {
            let states = ["foo=1,bar=2", "rojo=1,congo=2", "baz=3"];
            assert_eq!(state(&states).await, "foo=1,bar=2,rojo=1,congo=2,baz=3");
        };
        duplicated_keys: for states in [&["foo=1,foo=2"][..], &["foo=1", "foo=2"]] {
            assert_eq!(state(states).await, "foo=1,foo=2", "they stay as they are");
        };
        all_allowed_characters: {
            let value: String = (' '..='~').filter(|c| !",=".contains(*c)).collect();
            for key in ["abcdefghijklmnopqrstuvwxyz0123456789_-*/", "0a@a-z0-9_-*/"] {
                let member = format!("{key}={value}");
                assert_eq!(state(&[&member]).await, member);
            }
        };
        white_space_around: for states in ["foo=1 \t , \t bar=2, \t baz=3", "foo=1\t \t,\t \tbar=2,\t \tbaz=3", " foo=1,bar=2,baz=3\t"] {
            assert_eq!(state(&[states]).await, "foo=1,bar=2,baz=3");
        };
        key_illegal_characters: for states in ["foo =1", "FOO=1", "foo.bar=1"] {
            assert_eq!(state(&[states]).await, "", "{states:?}");
        };
        key_with_at_signs: {
            for states in ["foo@=1,bar=2", "foo@@bar=1,bar=2", "foo@bar@baz=1,bar=2"] {
                assert_eq!(state(&[states]).await, states);
            }
            assert_eq!(state(&["@foo=1,bar=2"]).await, "");
        };
        member_count_limit: {
            let members: Vec<_> = (1..=33).map(|number| format!("bar{number:02}={number:02}")).collect();
            let whole = members[..32].join(",");
            assert_eq!(state(&[&members[..10].join(","), &members[10..32].join(",")]).await, whole);
            assert_eq!(state(&[&whole, &members[32]]).await, "");
        };
        key_length_limit: {
            for key in ["z".repeat(256), format!("{}@{}", "t".repeat(241), "v".repeat(14))] {
                let member = format!("{key}=1");
                assert_eq!(state(&["foo=1", &member]).await, format!("foo=1,{member}"));
            }
            assert_eq!(state(&["foo=1", &format!("{}=1", "z".repeat(257))]).await, "");
        };
        value_illegal: for states in ["foo=bar=baz", "foo=,bar=3"] {
            assert_eq!(state(&[states]).await, "", "{states:?}");
        };
    }
}
