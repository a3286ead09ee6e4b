//! What is shown of a program.

use std::time::Duration;

use axum::http::HeaderName;
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_ctx::tower::ContextLayer;
use tokio_ctx::tower::headers::HeaderKey;
use tokio_ctx::view::{View, assert_nothing_runs, dump};
use tokio_ctx::{Cancelled, Context, ScopeOptions, key};

use crate::stage::{TURN, get, mount};

key! {
    Note: String, print;
}

impl HeaderKey for Note {
    const HEADER: HeaderName = HeaderName::from_static("x-note");

    fn decode(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    fn encode(text: &String) -> Option<String> {
        Some(text.clone())
    }
}

/// Runs a scope with one task that goes on until `end` is sent.
fn busy(
    ctx: &Context,
    name: &'static str,
    end: oneshot::Receiver<()>,
) -> tokio::task::JoinHandle<()> {
    let ctx = ctx.clone();
    tokio::spawn(async move {
        let options = ScopeOptions::new().name("busy");
        let scope = options.run(&ctx, async move |s| {
            s.task().name(name).spawn(async move |_| {
                let _ = end.await;
                Ok::<_, Cancelled>(())
            });
            Ok(())
        });
        let _ = scope.await;
    })
}

async fn report_with(at: std::net::SocketAddr, wanted: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..200 {
        let report = serde_json::from_str(&get(at, "?json").await.body).unwrap();
        if wanted(&report) {
            return report;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("it never came: {}", get(at, "").await.body);
}

#[tokio::test]
async fn a_task_that_goes_on_after_its_end_is_first_with_its_cause_and_line() {
    let _turn = TURN.lock().await;
    let ctx = Context::background().with_cancel();
    let at = mount(View::new(&Context::background())).await;
    let (end, ended) = oneshot::channel();
    let scope = busy(&ctx, "flush", ended);
    let report = report_with(at, |report| report["num_tasks"] == 1).await;
    assert_eq!(report["stuck"].as_array().unwrap().len(), 0);

    ctx.cancel_with("the client hung up");
    let report = report_with(at, |report| report["stuck"][0]["name"] == "flush").await;
    let stuck = &report["stuck"][0];
    assert!(
        stuck["cause"]
            .as_str()
            .unwrap()
            .contains("the client hung up"),
        "{stuck}"
    );
    assert!(
        stuck["spawned_at"].as_str().unwrap().contains(file!()),
        "{stuck}"
    );
    assert_eq!(stuck["can_be_aborted"], true);
    let text = get(at, "").await.body;
    let (wrong, runs) = (
        text.find("ENDED BUT STILL RUNNING"),
        text.find("SCOPES AND TASKS"),
    );
    assert!(wrong.is_some() && wrong < runs, "{text}");

    end.send(()).unwrap();
    scope.await.unwrap();
    assert_nothing_runs(&Context::background()).await;
}

#[tokio::test]
async fn what_comes_from_outside_stays_on_one_line() {
    let _turn = TURN.lock().await;
    let ctx = Context::background().with_cancel();
    let (end, ended) = oneshot::channel();
    let name = "<script>alert(1)</script>\n\u{202e}forged";
    let scope = busy(&ctx, name, ended);
    let at = mount(View::new(&Context::background())).await;
    report_with(at, |report| report["num_tasks"] == 1).await;
    ctx.cancel_with("a\r\nlevel=ERROR b\x1b[2J");
    let report = report_with(at, |report| report["stuck"][0]["name"].is_string()).await;
    let shown = &report["stuck"][0];
    assert_eq!(shown["name"], "<script>alert(1)</script>\\n\\u{202e}forged");
    let text = get(at, "").await.body;
    assert!(
        !text.contains("\nlevel=ERROR") && !text.contains('\x1b'),
        "{text}"
    );
    end.send(()).unwrap();
    scope.await.unwrap();
}

/// A path may be any bytes, and a client may send any text under a key that is printed.
#[tokio::test]
async fn what_a_client_sends_stays_on_one_line() {
    let _turn = TURN.lock().await;
    let at = mount(View::new(&Context::background())).await;
    let layer = ContextLayer::new(&Context::background()).key::<Note>();
    let hang = async || std::future::pending::<()>().await;
    let app = axum::Router::new().fallback(hang).layer(layer);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move { axum::serve(listener, app).await });
    let mut client = TcpStream::connect(address).await.unwrap();
    let head = "GET /a\u{202e}/\u{9b}2J HTTP/1.1\r\nhost: test\r\nx-note: a\tb\u{2066}c\r\n\r\n";
    client.write_all(head.as_bytes()).await.unwrap();
    let report = report_with(at, |report| report["in_flight"][0]["label"].is_string()).await;
    let flight = &report["in_flight"][0];
    assert_eq!(flight["label"], "GET /a\\u{202e}/\\u{9b}2J");
    assert_eq!(flight["values"][0], "Note=a\\tb\\u{2066}c");
    drop(client);
    let ended = |report: &Value| report["in_flight"].as_array().unwrap().is_empty();
    report_with(at, ended).await;
    let text = get(at, "").await.body;
    assert!(text.contains("GET /a\\u{202e}"), "{text}");
    let is_foul = |letter: char| {
        let turns = ['\u{202e}', '\u{2066}'].contains(&letter);
        turns || letter != '\n' && letter.is_control()
    };
    assert!(!text.contains(is_foul), "{text:?}");
    serving.abort();
}

#[tokio::test]
async fn tasks_beyond_the_bound_are_counted() {
    let _turn = TURN.lock().await;
    let ctx = Context::background().with_cancel();
    let at = mount(View::new(&Context::background()).max_tasks(100)).await;
    let of_scope = Context::clone(&ctx);
    let scope = tokio::spawn(async move {
        let many = tokio_ctx::scope(&of_scope, async |s| {
            for _ in 0..2_500 {
                s.spawn(async move |ctx: Context| {
                    ctx.done().await;
                    Ok::<_, Cancelled>(())
                });
            }
            Ok(())
        });
        many.await
    });
    let report = report_with(at, |report| report["num_tasks"] == 2_500).await;
    assert_eq!(report["more_tasks"], 2_400);
    assert_eq!(report["scopes"][0]["tasks"].as_array().unwrap().len(), 100);
    ctx.cancel();
    let _ended: Result<(), Cancelled> = scope.await.unwrap();
    // It has no name, so its line stands for it.
    let named_by_line = |report: &Value| {
        let end = &report["ends"][0];
        end["label"] == end["line"] && end["kind"] == "scope"
    };
    report_with(at, named_by_line).await;
}

#[tokio::test]
async fn those_who_look_at_the_same_time_share_one_snapshot() {
    let _turn = TURN.lock().await;
    let at = mount(View::new(&Context::background())).await;
    let looks = (0..10).map(|_| get(at, "?json"));
    let mut shown = Vec::new();
    for look in looks {
        shown.push(look.await.body);
    }
    shown.dedup();
    assert!(shown.len() < 10, "ten looks took {} snapshots", shown.len());
}

#[tokio::test]
async fn a_fixture_fails_with_the_list_of_what_still_runs() {
    let _turn = TURN.lock().await;
    let ctx = Context::background().with_cancel();
    let (end, ended) = oneshot::channel();
    let scope = busy(&ctx, "left over", ended);
    while !dump().contains("left over") {
        tokio::task::yield_now().await;
    }
    let soon = Context::background().with_timeout(Duration::from_millis(50));
    let failed = tokio::spawn(async move { assert_nothing_runs(&soon).await });
    let panic = failed.await.unwrap_err().into_panic();
    let message = panic.downcast_ref::<String>().unwrap();
    assert!(message.contains("task `left over`"), "{message}");
    end.send(()).unwrap();
    scope.await.unwrap();
}

#[tokio::test]
async fn a_scope_that_was_stopped_is_among_the_last_ends() {
    let _turn = TURN.lock().await;
    let at = mount(View::new(&Context::background())).await;
    let ctx = Context::background().with_cancel();
    let (end, ended) = oneshot::channel();
    let scope = busy(&ctx, "flush", ended);
    report_with(at, |report| report["num_tasks"] == 1).await;
    ctx.cancel_with("the client hung up");
    end.send(()).unwrap();
    scope.await.unwrap();
    let report = report_with(at, |report| report["ends"][0]["label"] == "busy").await;
    let end = &report["ends"][0];
    assert_eq!(end["kind"], "scope");
    assert!(
        end["line"]
            .as_str()
            .unwrap()
            .starts_with(concat!(file!(), ":")),
        "{end}"
    );
    assert!(
        end["why"].as_str().unwrap().contains("the client hung up"),
        "{end}"
    );
}

#[tokio::test]
async fn a_panic_hook_can_carry_the_dump_and_names_the_task_that_panics() {
    static DUMPED: std::sync::Mutex<String> = std::sync::Mutex::new(String::new());
    let _turn = TURN.lock().await;
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| *DUMPED.lock().unwrap() = dump()));
    let ctx = Context::background();
    let outcome = tokio_ctx::scope(&ctx, async |s| {
        let parser = s.task().name("parser").isolated(async |_| {
            // A scope is listed once it really waits.
            while !dump().contains("parser") {
                tokio::task::yield_now().await;
            }
            panic!("a bad frame")
        });
        Ok::<_, Cancelled>(parser.await.is_err())
    });
    let panicked = outcome.await;
    std::panic::set_hook(before);
    assert!(matches!(panicked, Ok(true)));
    let dumped = DUMPED.lock().unwrap();
    assert!(dumped.contains("task `parser`"), "{dumped}");
    assert!(dumped.contains(file!()), "{dumped}");
}
