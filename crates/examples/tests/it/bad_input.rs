//! Malformed headers, unknown pages, garbage, and files that are no database.

use examples::db::Databases;

use crate::stage::Stage;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn malformed_headers_never_fail_a_request() {
    let stage = Stage::new().await;
    let longer_than_allowed = "x".repeat(65);
    for timeout in [
        "",
        "soon",
        "-1",
        "1e3",
        "1.5",
        "18446744073709551616",
        "200 ms",
    ] {
        let answer = stage.get("/", &[("x-timeout-ms", timeout)]).await;
        assert_eq!(answer.status, 200, "x-timeout-ms: {timeout:?}");
    }
    for trace in ["", "a b", "../../etc", "{\"a\":1}", &longer_than_allowed] {
        let answer = stage.get("/", &[("x-trace-id", trace)]).await;
        assert_eq!(answer.status, 200, "x-trace-id: {trace:?}");
    }
    let not_text =
        b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\nx-trace-id: \xff\xfe\r\n\r\n";
    assert_eq!(
        stage.raw(not_text).await.answer().await.unwrap().status,
        200
    );
    stage.check_idle().await;
    stage.check_stops().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_malformed_trace_id_is_replaced_and_a_good_one_kept() {
    let stage = Stage::new().await;
    for (sent, seen) in [("mine-1", "mine-1"), ("not mine", "request-2")] {
        let call = stage.call("POST /exports", &[("x-trace-id", sent)]).await;
        assert_eq!(call.answer().await.unwrap().status, 202);
        let job = stage
            .server
            .journal()
            .when(seen, crate::stage::PATIENCE, |e| e.len() == 1);
        assert!(job.await.is_some(), "no job under {seen}");
    }
    stage.check_stops().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_pages_and_methods_are_clear_errors() {
    let stage = Stage::new().await;
    let unknown = stage.get("/reports", &[]).await;
    assert_eq!(
        (unknown.status, &unknown.json()["title"]),
        (404, &"no such page".into())
    );
    let strange = stage.get("/%00/../..?%zz=%", &[]).await;
    assert_eq!(strange.status, 404);
    let method = stage
        .call("DELETE /report", &[])
        .await
        .answer()
        .await
        .unwrap();
    assert_eq!(method.status, 405);
    stage.check_idle().await;
    stage.check_stops().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_is_refused_and_leaves_no_task() {
    let stage = Stage::new().await;
    let endless_header = [b"GET / HTTP/1.1\r\nx: ".to_vec(), vec![b'y'; 1 << 20]].concat();
    let garbage: [&[u8]; 5] = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"\0\0\0\0\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nbad header\r\n\r\n",
    ];
    for bytes in garbage {
        // Refused with 400, or the connection closed at once: never served.
        let status = stage
            .raw(bytes)
            .await
            .answer()
            .await
            .map_or(0, |answer| answer.status);
        assert!(matches!(status, 400 | 505 | 0), "{status} for {bytes:?}");
    }
    // The server may close before it has read all, and the socket then fails on our side.
    let _ = examples::client::Call::send_bytes(stage.server.address(), &endless_header).await;
    stage.check_idle().await;
    stage.check_stops().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_a_request_cannot_hold_up_the_shutdown() {
    let stage = Stage::new().await;
    let half = stage.raw(b"GET /report HTT").await;
    let silent = stage.raw(b"").await;
    // Answered after them, so both connections have been accepted.
    assert_eq!(stage.get("/", &[]).await.status, 200);
    stage.check_stops().await;
    assert!(matches!(
        half.answer().await.map(|a| a.status),
        Ok(0 | 400 | 408) | Err(_)
    ));
    assert!(matches!(
        silent.answer().await.map(|a| a.status),
        Ok(0) | Err(_)
    ));
}

#[test]
fn a_file_that_is_no_database_is_named_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("orders.db"),
        "id,total\n1,2\n".repeat(100),
    )
    .unwrap();
    let error = Databases::open_or_fill(folder.path())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("orders.db: file is not a database"),
        "{error}"
    );
}

#[test]
fn an_empty_file_is_no_database_of_ours() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("users.db"), "").unwrap();
    let error = Databases::open_or_fill(folder.path())
        .unwrap_err()
        .to_string();
    assert!(error.contains("users.db: no such table: users"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_turns_into_garbage_fails_its_requests_only() {
    let stage = Stage::new().await;
    let file = stage.databases.payments.path();
    let kept = std::fs::read(file).unwrap();
    std::fs::write(file, "no database\n".repeat(1000)).unwrap();
    let answer = stage.get("/report", &[("x-trace-id", "broken")]).await;
    assert_eq!(answer.status, 500);
    assert_eq!(
        answer.json()["title"],
        "payments database: file is not a database"
    );
    stage.check_idle().await;

    std::fs::write(file, kept).unwrap();
    assert_eq!(stage.get("/report", &[]).await.status, 200);
    stage.check_idle().await;
    stage.check_stops().await;
}
