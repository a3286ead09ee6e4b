//! Clients that hang up at every point of a request, over a real socket: the demo's handlers under
//! `cut-points`.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use cut_points::{Report, World, world};
use examples::client::Call;
use examples::db::Databases;
use examples::journal::{Entry, Outcome};
use examples::server::Server;
use tempfile::TempDir;
use tokio_ctx::Context;

/// The databases are filled once: filling them takes longer than all cuts.
fn databases() -> Arc<Databases> {
    static FILLED: OnceLock<(TempDir, Arc<Databases>)> = OnceLock::new();
    let (_, databases) = FILLED.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let databases = Databases::open_or_fill(folder.path()).expect("databases");
        (folder, Arc::new(databases))
    });
    Arc::clone(databases)
}

/// A server, and how many of its answers a client has read.
struct Served {
    server: Server,
    answers: AtomicUsize,
}

fn served() -> World<Served> {
    let start = async || {
        let server = Server::start(&Context::background(), databases()).await;
        Served {
            server: server.expect("the server starts"),
            answers: AtomicUsize::new(0),
        }
    };
    world(start)
        .real_time()
        .quiet(Duration::from_millis(30))
        .limit(Duration::from_secs(30))
        // Each step of the server is a point: a few of them do, the same ones each time.
        .at_most(12)
        .seed(7)
}

/// No work may go on for a client that has left.
async fn nothing_runs(served: &Served) {
    let running = served.server.journal().running();
    assert!(running.is_empty(), "work goes on for nobody: {running:?}");
}

/// Each export that was accepted comes to its end, and so does one whose client has left.
async fn exports_finish(served: &Served) {
    let accepted = served.answers.load(Ordering::SeqCst);
    let ended = |entry: &Entry| entry.ended.is_some();
    let all = |entries: &[Entry]| entries.len() >= accepted && entries.iter().all(ended);
    let patience = Duration::from_secs(20);
    let entries = served.server.journal().when("cut", patience, all).await;
    let entries = entries.expect("an export that was accepted does not end");
    let finished = |entry: &Entry| matches!(entry.ended, Some((_, Outcome::Finished)));
    assert!(entries.iter().all(finished), "{entries:?}");
}

/// The client is dropped at points all over the request.
fn hang_up(world: World<Served>, line: &'static str, status: u16) -> Report {
    world.drop_everywhere(async move |served: &Served| {
        let call = Call::send(served.server.address(), line, &[("x-trace-id", "cut")])
            .await
            .map_err(|error| error.to_string())?;
        let answer = call.answer().await.map_err(|error| error.to_string())?;
        if answer.status == status {
            served.answers.fetch_add(1, Ordering::SeqCst);
            Ok(())
        } else {
            Err(format!("{answer:?}"))
        }
    })
}

#[test]
fn a_report_whose_client_hangs_up_anywhere_leaves_no_query() {
    let report = hang_up(served().once().check(nothing_runs), "GET /report", 200);
    report.assert_ok();
    assert!(report.points() >= 3, "{report}");
}

#[test]
fn a_list_of_what_runs_whose_client_hangs_up_anywhere_leaves_nothing() {
    hang_up(served().once().check(nothing_runs), "GET /running", 200).assert_ok();
}

#[test]
fn an_export_whose_client_hangs_up_anywhere_is_finished_and_so_is_the_next() {
    // An export takes a second or more.
    let exports = served().at_most(5).check(exports_finish);
    let report = hang_up(exports, "POST /exports", 202);
    report.assert_ok();
    assert!(report.points() >= 3, "{report}");
}
