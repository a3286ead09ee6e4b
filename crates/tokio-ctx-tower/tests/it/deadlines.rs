//! Deadlines from headers.

use std::time::Duration;

use axum::routing::get;
use axum::{Extension, Router};
use http::HeaderName;
use tokio::net::TcpListener;
use tokio_ctx_core::{Context, Reason};
use tokio_ctx_tower::ContextLayer;

use crate::stage::{H2, Stage, answer, ask, at_once, send};

/// A header, and what the handler must find: at most so many milliseconds, and no more than
/// ten seconds less.
type Case = (&'static [(&'static str, &'static str)], f64, u64);

const CASES: &[Case] = &[
    // Each unit of gRPC.
    (&[("grpc-timeout", "30000000u")], 30_000.0, 0),
    (&[("grpc-timeout", "30000m")], 30_000.0, 0),
    (&[("grpc-timeout", "30S")], 30_000.0, 0),
    (&[("grpc-timeout", "1M")], 60_000.0, 0),
    // Longer than is allowed.
    (&[("grpc-timeout", "1H")], 60_000.0, 0),
    (&[("grpc-timeout", "99999999H")], 60_000.0, 0),
    (&[("x-timeout-ms", "999999999999999h")], 60_000.0, 0),
    // Each unit of the chosen header.
    (&[("x-timeout-ms", "30000000000ns")], 30_000.0, 0),
    (&[("x-timeout-ms", "30000000us")], 30_000.0, 0),
    (&[("x-timeout-ms", "30000")], 30_000.0, 0),
    (&[("x-timeout-ms", "30000ms")], 30_000.0, 0),
    (&[("x-timeout-ms", "30s")], 30_000.0, 0),
    (&[("x-timeout-ms", "1m")], 60_000.0, 0),
    (&[("x-timeout-ms", "1h")], 60_000.0, 0),
    // The shorter of the two, whichever it is.
    (
        &[("grpc-timeout", "30S"), ("x-timeout-ms", "40000")],
        30_000.0,
        0,
    ),
    (
        &[("grpc-timeout", "40S"), ("x-timeout-ms", "30000")],
        30_000.0,
        0,
    ),
    // Ignored and counted: malformed, negative, none, huge, repeated.
    (&[("grpc-timeout", "soon")], 60_000.0, 1),
    (&[("grpc-timeout", "")], 60_000.0, 1),
    (&[("grpc-timeout", "-5S")], 60_000.0, 1),
    (&[("grpc-timeout", "0S")], 60_000.0, 1),
    (&[("grpc-timeout", "123456789S")], 60_000.0, 1),
    (
        &[(
            "grpc-timeout",
            "99999999999999999999999999999999999999999999S",
        )],
        60_000.0,
        1,
    ),
    (
        &[("grpc-timeout", "1S"), ("grpc-timeout", "2S")],
        60_000.0,
        1,
    ),
    (&[("grpc-timeout", "\u{e9}5S")], 60_000.0, 1),
    (&[("x-timeout-ms", "-1")], 60_000.0, 1),
    (&[("x-timeout-ms", "1.5s")], 60_000.0, 1),
    (&[("x-timeout-ms", "99999999999999999999")], 60_000.0, 1),
    (&[("x-timeout-ms", "5"), ("x-timeout-ms", "5")], 60_000.0, 1),
    (&[("x-timeout-ms", "x"), ("grpc-timeout", "x")], 60_000.0, 2),
    (
        &[("x-timeout-ms", "x"), ("grpc-timeout", "30S")],
        30_000.0,
        1,
    ),
];

#[tokio::test]
async fn deadlines_come_from_headers_and_bad_headers_fail_nothing() {
    let stage = Stage::start().await;
    let mut h2 = H2::connect(stage.address).await;
    for (headers, most, ignored) in CASES {
        for is_h2 in [false, true] {
            let before = stage.layer.ignored_headers();
            let (status, seen) = match is_h2 {
                false => {
                    let answer = ask(stage.address, "GET /look", headers).await;
                    (answer.status, answer.json())
                }
                true => h2.ask("/look", headers).await,
            };
            assert_eq!(status, 200, "{headers:?}");
            let left = seen["remaining_ms"].as_f64().expect("a deadline");
            assert!(
                left <= *most && left > most - 10_000.0,
                "{headers:?}: {left}"
            );
            assert_eq!(
                stage.layer.ignored_headers() - before,
                *ignored,
                "{headers:?}"
            );
        }
    }
    drop(h2);
    stage.shut_down().await;
}

#[tokio::test]
async fn the_shortest_units_end_a_request_at_once() {
    let stage = Stage::start().await;
    for timeout in ["1n", "99999999n", "1u", "1m"] {
        let answer = ask(stage.address, "GET /late", &[("grpc-timeout", timeout)]).await;
        assert_eq!(answer.status, 504, "{timeout}");
        assert_eq!(answer.json()["code"], "deadline_exceeded");
    }
    stage.shut_down().await;
}

#[tokio::test]
async fn a_default_holds_for_who_asks_for_nothing_and_a_maximum_for_all() {
    let stage = Stage::with(at_once(), |layer| {
        layer
            .default_timeout(Duration::from_secs(10))
            .max_timeout(Duration::from_secs(20))
    })
    .await;
    for (timeout, most) in [
        (None, 10_000.0),
        (Some("15S"), 15_000.0),
        (Some("1H"), 20_000.0),
    ] {
        let headers: Vec<_> = timeout
            .iter()
            .map(|timeout| ("grpc-timeout", *timeout))
            .collect();
        let seen = ask(stage.address, "GET /look", &headers).await.json();
        let left = seen["remaining_ms"].as_f64().unwrap();
        assert!(left <= most && left > most - 5_000.0, "{timeout:?}: {left}");
    }
    stage.shut_down().await;
}

#[tokio::test]
async fn no_other_header_sets_a_deadline() {
    let stage = Stage::with(at_once(), |layer| {
        layer
            .without_grpc_timeout()
            .timeout_header(HeaderName::from_static("x-other"))
    })
    .await;
    let headers = [("grpc-timeout", "1S"), ("x-timeout-ms", "1000")];
    let seen = ask(stage.address, "GET /look", &headers).await.json();
    assert!(seen["remaining_ms"].as_f64().unwrap() > 50_000.0, "{seen}");
    stage.shut_down().await;
}

#[tokio::test]
async fn a_handler_that_does_not_look_is_answered_for_where_that_was_chosen() {
    let mut stage = Stage::with(at_once(), ContextLayer::answer_when_done).await;
    let late = send(stage.address, "GET /stubborn", &[("x-timeout-ms", "20")]).await;
    let late = answer(late).await;
    assert_eq!(
        (late.status, &*late.json()["code"].to_string()),
        (504, "\"deadline_exceeded\"")
    );
    assert!(late.head.contains("application/problem+json"), "{late:?}");
    assert_eq!(stage.ended().await.0, Reason::Deadline);
    stage.shut_down().await;
}

#[tokio::test]
async fn a_client_can_only_shorten() {
    for (layer, longest) in [
        (
            ContextLayer::new(&Context::background()).default_timeout(Duration::from_secs(10)),
            10_000.0,
        ),
        (
            ContextLayer::new(&Context::background()).max_timeout(Duration::from_secs(20)),
            20_000.0,
        ),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let look = get(async |Extension(ctx): Extension<Context>| {
            ctx.remaining()
                .map_or(0.0, |left| left.as_secs_f64() * 1e3)
                .to_string()
        });
        let layer = layer
            .timeout_header(HeaderName::from_static("x-timeout-ms"))
            .deadline_header(HeaderName::from_static("ce-expirytime"));
        let app = Router::new().route("/", look).layer(layer);
        let serving = tokio::spawn(async move { axum::serve(listener, app).await });
        for (asked, most) in [
            (&[][..], longest),
            (&[("grpc-timeout", "99999999H")], longest),
            (&[("grpc-timeout", "30S")], longest),
            (&[("grpc-timeout", "5S")], 5_000.0),
            (&[("x-timeout-ms", "999999999999999h")], longest),
            (&[("x-timeout-ms", "5000")], 5_000.0),
            (&[("ce-expirytime", "2999-12-31T23:59:59Z")], longest),
            (
                &[("grpc-timeout", "5S"), ("x-timeout-ms", "30000")],
                5_000.0,
            ),
        ] {
            let answer = ask(address, "GET /", asked).await;
            let left: f64 = answer.body.parse().unwrap();
            assert!(left <= most && left > most - 4_000.0, "{asked:?}: {left}");
        }
        serving.abort();
    }
}
