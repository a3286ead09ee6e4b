//! The example `metrics` counts what it says.

use examples::client::Call;
use tokio::net::TcpListener;
use tokio_ctx::Context;
use tokio_ctx::tower::serve;

#[path = "../examples/metrics.rs"]
#[expect(dead_code, reason = "its `main` is not run here")]
mod example;

#[tokio::test]
async fn requests_are_counted_by_route_and_by_what_ended_them() {
    let metrics = example::install().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let ctx = Context::background().with_cancel();
    let serving = serve(&ctx, listener, |server| example::service(server, metrics));
    let asking = async {
        let ask = async |path: &str| {
            let call = Call::send(address, &format!("GET {path}"), &[]).await;
            call.unwrap().answer().await.unwrap()
        };
        for path in ["/hello/a", "/hello/b", "/late", "/nowhere"] {
            ask(path).await;
        }
        let numbers = ask("/metrics").await.body;
        ctx.cancel();
        numbers
    };
    let (report, numbers) = tokio::join!(serving, asking);
    assert!(report.is_clean(), "{report}");
    for line in [
        r#"requests_total{route="/hello/{name}",reason="RequestFinished"} 2"#,
        r#"requests_total{route="/late",reason="Deadline"} 1"#,
        r#"request_seconds_count{route="/late"} 1"#,
    ] {
        assert!(numbers.contains(line), "{line} in\n{numbers}");
    }
    assert!(
        !numbers.contains("/metrics") && !numbers.contains("/hello/a"),
        "{numbers}"
    );
}
