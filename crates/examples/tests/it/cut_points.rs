//! Clients that hang up at every point of a request, over a real socket: the demo's handlers under
//! `cut-points`.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use cut_points::{Report, World, world};
use examples::client::Call;
use examples::db::Databases;
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

fn server() -> World<Server> {
    let start = async || {
        let server = Server::start(&Context::background(), databases()).await;
        server.expect("the server starts")
    };
    world(start)
        .real_time()
        .quiet(Duration::from_millis(30))
        .limit(Duration::from_secs(30))
        // Each step of the server is a point: a few of them do, the same ones each time.
        .once()
        .at_most(12)
        .seed(7)
        .check(async |server: &Server| {
            let running = server.journal().running();
            assert!(running.is_empty(), "work goes on for nobody: {running:?}");
        })
}

/// The client is dropped at points all over the request.
fn hang_up(line: &'static str, status: u16) -> Report {
    server().drop_everywhere(async move |server: &Server| {
        let call = Call::send(server.address(), line, &[])
            .await
            .map_err(|error| error.to_string())?;
        let answer = call.answer().await.map_err(|error| error.to_string())?;
        if answer.status == status {
            Ok(())
        } else {
            Err(format!("{answer:?}"))
        }
    })
}

#[test]
fn a_report_whose_client_hangs_up_anywhere_leaves_no_query() {
    let report = hang_up("GET /report", 200);
    report.assert_ok();
    assert!(report.points() >= 3, "{report}");
}

#[test]
fn a_list_of_what_runs_whose_client_hangs_up_anywhere_leaves_nothing() {
    hang_up("GET /running", 200).assert_ok();
}
