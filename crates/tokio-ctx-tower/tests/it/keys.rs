//! Keys from headers.

use crate::stage::{H2, Stage, ask};

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[tokio::test]
async fn listed_keys_are_read() {
    let stage = Stage::start().await;
    let headers = [
        ("x-shop", "17"),
        ("x-token", "hunter2"),
        ("traceparent", TRACE),
        ("baggage", "city=Paris"),
        ("baggage", "plan=gold;since=2020"),
    ];
    let seen = ask(stage.address, "GET /look", &headers).await.json();
    assert_eq!(seen["shop"], 17);
    assert_eq!(seen["token"], "hunter2");
    assert_eq!(seen["trace"], TRACE);
    assert_eq!(seen["plan"], "gold");
    assert_eq!(stage.layer.ignored_headers(), 0);
    let debug = seen["debug"].to_string();
    assert!(
        debug.contains("Shop=17") && debug.contains("Token"),
        "{debug}"
    );
    assert!(
        !debug.contains("hunter2") && !debug.contains("gold"),
        "{debug}"
    );
    stage.shut_down().await;
}

#[tokio::test]
async fn the_good_members_of_a_half_broken_baggage_stay() {
    let stage = Stage::start().await;
    let long = format!("long={},plan=cut", "x".repeat(8180));
    for baggage in [
        &["city=Paris,plan=gold,"][..],
        &["broken,plan=gold"],
        &["plan=gold, a b=c"],
        &["plan=gold;since=2020", "half=%4"],
        &["=empty", "plan=gold"],
        &["caf\u{e9}=1,plan=gold"],
        &["plan=gold", &long],
    ] {
        let headers: Vec<_> = baggage.iter().map(|text| ("baggage", *text)).collect();
        let seen = ask(stage.address, "GET /look", &headers).await.json();
        assert_eq!(seen["plan"], "gold", "{baggage:?}");
    }
    assert_eq!(
        stage.layer.ignored_headers(),
        1,
        "the one that was too long"
    );
    stage.shut_down().await;
}

#[tokio::test]
async fn a_key_that_is_not_listed_cannot_be_planted() {
    let stage = Stage::start().await;
    let headers = [("x-unlisted", "planted"), ("x-Unlisted", "planted twice")];
    let seen = ask(stage.address, "GET /look", &headers).await.json();
    assert!(
        seen["unlisted"].is_null() && !seen.to_string().contains("planted"),
        "{seen}"
    );
    assert_eq!(stage.layer.ignored_headers(), 0, "it was not even read");
    stage.shut_down().await;
}

#[tokio::test]
async fn bad_values_are_ignored_and_counted() {
    let stage = Stage::start().await;
    let long = "7".repeat(11);
    let cases: &[&[(&str, &str)]] = &[
        &[("x-shop", "seventeen")],
        &[("x-shop", "-1")],
        &[("x-shop", &long)],
        &[("x-shop", "1"), ("x-shop", "1")],
        &[("x-token", "malformed")],
        &[("traceparent", "00-0-0-0")],
        &[("traceparent", TRACE), ("traceparent", TRACE)],
        &[("baggage", "plan")],
    ];
    for (number, headers) in (1..).zip(cases) {
        let answer = ask(stage.address, "GET /look", headers).await;
        assert_eq!(answer.status, 200, "{headers:?}");
        let seen = answer.json();
        for key in ["shop", "token", "trace", "plan"] {
            assert!(seen[key].is_null(), "{headers:?}: {seen}");
        }
        assert_eq!(stage.layer.ignored_headers(), number, "{headers:?}");
    }
    stage.shut_down().await;
}

#[tokio::test]
async fn a_hundred_keys_are_a_request_like_any_other() {
    let stage = Stage::start().await;
    let names: Vec<String> = (0..95).map(|number| format!("x-key-{number}")).collect();
    let mut headers: Vec<_> = names.iter().map(|name| (name.as_str(), "value")).collect();
    headers.push(("x-shop", "17"));
    let seen = ask(stage.address, "GET /look", &headers).await.json();
    assert_eq!(seen["shop"], 17);

    let names: Vec<String> = (0..200).map(|number| format!("x-key-{number}")).collect();
    headers.extend(names.iter().map(|name| (name.as_str(), "value")));
    let mut h2 = H2::connect(stage.address).await;
    let (status, seen) = h2.ask("/look", &headers).await;
    assert_eq!((status, &seen["shop"]), (200, &17.into()));
    drop(h2);
    stage.shut_down().await;
}

/// What the server under us refuses, it refuses without us too; what it lets through is
/// ignored.
#[tokio::test]
async fn a_key_of_a_mebibyte_costs_nobody_anything() {
    let stage = Stage::start().await;
    let fits = "x".repeat(8 * 1024);
    let answer = ask(stage.address, "GET /look", &[("x-token", &fits)]).await;
    assert_eq!(answer.status, 200);
    assert!(answer.json()["token"].is_null());
    assert_eq!(stage.layer.ignored_headers(), 1);

    let mebibyte = "x".repeat(1 << 20);
    let refused =
        crate::stage::try_ask(stage.address, "GET /look", &[("x-token", &mebibyte)]).await;
    assert!(refused.is_none_or(|status| status == 431), "{refused:?}");

    let mut h2 = H2::connect(stage.address).await;
    let (response, _) = h2.send("/look", &[("x-token", &mebibyte)]).await;
    let refused = crate::stage::within(response).await;
    assert!(refused.is_err() || refused.is_ok_and(|response| response.status() == 431));

    // The server is as well as before.
    let seen = ask(stage.address, "GET /look", &[("x-shop", "17")])
        .await
        .json();
    assert_eq!(seen["shop"], 17);
    drop(h2);
    stage.shut_down().await;
}
