//! Clients that go away.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_ctx_core::Reason;
use tokio_ctx_tower::ContextLayer;

use crate::stage::{H2, Stage, ask, eventually, send, within};

#[tokio::test]
async fn a_closed_connection_ends_the_request() {
    let mut stage = Stage::start().await;
    let client = send(stage.address, "GET /hang", &[]).await;
    stage.started().await;
    drop(client);
    assert_eq!(stage.stopped().await.0, Reason::CallerGone);
    stage.shut_down().await;
}

#[tokio::test]
async fn a_connection_that_is_reset_ends_the_request() {
    let mut stage = Stage::start().await;
    let client = send(stage.address, "GET /hang", &[]).await;
    stage.started().await;
    // Sends RST in the place of FIN.
    client.set_zero_linger().unwrap();
    drop(client);
    assert_eq!(stage.stopped().await.0, Reason::CallerGone);
    stage.shut_down().await;
}

/// HTTP/1 has no other sign that a client is gone, so the server below takes it for one.
#[tokio::test]
async fn a_half_closed_connection_ends_the_request() {
    let mut stage = Stage::start().await;
    let mut client = send(stage.address, "GET /hang", &[]).await;
    stage.started().await;
    client.shutdown().await.unwrap();
    assert_eq!(stage.stopped().await.0, Reason::CallerGone);
    stage.shut_down().await;
}

#[tokio::test]
async fn a_reset_stream_ends_its_request_and_no_other() {
    let mut stage = Stage::start().await;
    let mut h2 = H2::connect(stage.address).await;
    let (neighbour, _open) = h2.send("/hang", &[]).await;
    stage.started().await;
    let (response, mut stream) = h2.send("/hang", &[]).await;
    stage.started().await;
    stream.send_reset(h2::Reason::CANCEL);
    drop(response);
    assert_eq!(stage.stopped().await.0, Reason::CallerGone);
    eventually("one of two is left", || stage.layer.live_requests() == 1).await;

    assert_eq!(h2.ask("/look", &[]).await.0, 200, "the connection lives on");
    drop((neighbour, h2));
    stage.shut_down().await;
}

#[tokio::test]
async fn a_lost_connection_of_http2_ends_all_its_requests() {
    let mut stage = Stage::start().await;
    let mut h2 = H2::connect(stage.address).await;
    let mut calls = Vec::new();
    for _ in 0..8 {
        calls.push(h2.send("/hang", &[]).await);
        stage.started().await;
    }
    h2.connection.abort();
    for _ in 0..8 {
        assert_eq!(stage.stopped().await.0, Reason::CallerGone);
    }
    stage.shut_down().await;
}

/// Half-closed by the client is how every request without a body looks in HTTP/2.
#[tokio::test]
async fn a_half_closed_stream_is_a_request_like_any_other() {
    let stage = Stage::start().await;
    let h2 = H2::connect(stage.address).await;
    let mut client = h2.client.clone().ready().await.unwrap();
    let request = http::Request::post("http://test/length").body(()).unwrap();
    let (response, mut body) = client.send_request(request, false).unwrap();
    body.send_data("12345".into(), true).unwrap();
    assert_eq!(within(response).await.unwrap().status(), 200);
    drop((client, h2));
    stage.shut_down().await;
}

#[tokio::test]
async fn a_client_that_goes_while_it_sends_ends_the_request() {
    let mut stage = Stage::start().await;
    let mut client = send(
        stage.address,
        "POST /length",
        &[("content-length", "1000000")],
    )
    .await;
    client.write_all(b"the beginning").await.unwrap();
    stage.started().await;
    drop(client);
    // The handler sees a broken body and answers 400 to nobody, or is dropped: a race that is
    // the server's below us.
    let reason = stage.ended().await.0;
    assert!(
        matches!(reason, Reason::CallerGone | Reason::RequestFinished),
        "{reason:?}"
    );
    stage.shut_down().await;
}

#[tokio::test]
async fn a_client_that_stalls_while_it_sends_is_cut_off_by_its_deadline() {
    let mut stage = Stage::with(Default::default(), ContextLayer::answer_when_done).await;
    let headers = [("content-length", "1000000"), ("x-timeout-ms", "20")];
    let mut client = send(stage.address, "POST /length", &headers).await;
    client.write_all(b"the beginning").await.unwrap();
    assert_eq!(stage.ended().await.0, Reason::Deadline);
    let mut text = [0; 12];
    within(client.read_exact(&mut text)).await.unwrap();
    assert_eq!(&text, b"HTTP/1.1 504");
    stage.shut_down().await;
}

#[tokio::test]
async fn a_client_that_stalls_while_it_reads_does_not_outlive_its_deadline() {
    for is_h2 in [false, true] {
        let mut stage = Stage::start().await;
        // Its receive buffer, or its window, fills up and stays so.
        let headers = [("x-timeout-ms", "50")];
        let client = match is_h2 {
            false => Some(send(stage.address, "GET /endless", &headers).await),
            true => None,
        };
        let mut h2 = H2::connect(stage.address).await;
        let call = match is_h2 {
            true => Some(h2.send("/endless", &headers).await),
            false => None,
        };
        assert_eq!(stage.ended().await.0, Reason::Deadline, "h2: {is_h2}");
        drop((client, call, h2));
        stage.shut_down().await;
    }
}

#[tokio::test]
async fn a_panic_is_not_the_clients_doing_and_not_the_servers_end() {
    let mut stage = Stage::start().await;
    let mut client = send(stage.address, "GET /panic", &[]).await;
    assert_eq!(stage.ended().await.0, Reason::TaskPanicked);
    let mut text = Vec::new();
    // Closed without a word, as a panic of a handler is elsewhere.
    drop(within(client.read_to_end(&mut text)).await);
    assert!(text.is_empty());
    let (panicked, _) = {
        let mut h2 = H2::connect(stage.address).await;
        let (response, stream) = h2.send("/panic", &[]).await;
        (within(response).await.is_err(), stream)
    };
    assert!(panicked);
    assert_eq!(ask(stage.address, "GET /look", &[]).await.status, 200);
    stage.shut_down().await;
}
