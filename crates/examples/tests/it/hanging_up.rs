//! Clients that leave: what they asked for stops, and the server goes on.

use std::fs::File;
use std::path::Path;
use std::process::Command;

use examples::journal::{Entry, Outcome};
use tokio_ctx::{Cancelled, Reason};

use crate::stage::{PATIENCE, Stage};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_queries_of_a_client_that_hangs_up_are_interrupted() {
    let stage = Stage::new().await;
    let call = stage.call("GET /report", &[("x-trace-id", "gone")]).await;
    running(&stage, "gone", 3).await;
    let _closed = call.hang_up();

    for entry in ended(&stage, "gone", 3).await {
        let cancelled = entry.stopped().expect("interrupted");
        assert_eq!(cancelled.reason(), Reason::CallerGone, "{cancelled}");
    }
    stage.check_idle().await;
    stage.check_stops().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hanging_up_at_any_moment_leaves_no_task() {
    let stage = Stage::new().await;
    for round in 0..40_u32 {
        let call = stage.call("GET /report", &[]).await;
        for _ in 0..round * 3 {
            tokio::task::yield_now().await;
        }
        let _closed = call.hang_up();
    }
    stage.check_idle().await;
    stage.check_stops().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_request_on_the_connection_is_served_and_cancelled_alike() {
    let stage = Stage::new().await;
    let two = b"GET / HTTP/1.1\r\nhost: a\r\n\r\nGET /report HTTP/1.1\r\nhost: a\r\nx-trace-id: second\r\n\r\n";
    let call = stage.raw(two).await;
    running(&stage, "second", 3).await;
    let _closed = call.hang_up();
    for entry in ended(&stage, "second", 3).await {
        assert_eq!(
            entry.stopped().map(Cancelled::reason),
            Some(Reason::CallerGone)
        );
    }
    stage.check_stops().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_goes_on_when_its_client_hangs_up() {
    let stage = Stage::new().await;
    let call = stage
        .call("POST /exports", &[("x-trace-id", "export")])
        .await;
    running(&stage, "export", 1).await;
    let _closed = call.hang_up();
    let entries = ended(&stage, "export", 1).await;
    assert!(
        matches!(entries[0].ended, Some((_, Outcome::Finished))),
        "{entries:?}"
    );
    stage.check_idle().await;
    stage.check_stops().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_that_the_shutdown_stops_leaves_no_half_file() {
    let stage = Stage::new().await;
    let file = stage.databases.orders.path().with_file_name("export-1.csv");
    // In the place of the file: it holds the export until somebody reads.
    let pipe = Pipe::new(&file);
    let call = stage
        .call("POST /exports", &[("x-trace-id", "export")])
        .await;
    assert_eq!(call.answer().await.unwrap().status, 202);
    running(&stage, "export", 1).await;
    let shutdown = stage.server.shutdown(Reason::Shutdown);
    let _reader = pipe.open();
    let shutdown = shutdown.await;
    assert_eq!(shutdown.waited_for.len(), 1);
    assert_eq!(shutdown.waited_for[0].0.work, "export 1");
    assert_eq!(
        shutdown.waited_for[0].0.stopped().map(Cancelled::reason),
        Some(Reason::Shutdown)
    );
    assert!(!file.exists());
}

/// A named pipe: to open it for writing blocks until it is opened for reading.
struct Pipe<'a>(&'a Path);

impl Pipe<'_> {
    fn new(path: &Path) -> Pipe<'_> {
        let made = Command::new("mkfifo").arg(path).status().unwrap();
        assert!(made.success(), "mkfifo: {made}");
        Pipe(path)
    }

    /// Opens it for both, since only that waits for nobody: the export may have stopped before
    /// it came to write.
    fn open(&self) -> File {
        let mut both = File::options();
        both.read(true).write(true).open(self.0).unwrap()
    }
}

async fn running(stage: &Stage, trace: &str, count: usize) {
    let started = stage
        .server
        .journal()
        .when(trace, PATIENCE, |entries| entries.len() == count);
    assert!(
        started.await.is_some(),
        "{:?}",
        stage.server.journal().of(trace)
    );
}

async fn ended(stage: &Stage, trace: &str, count: usize) -> Vec<Entry> {
    let all =
        |entries: &[Entry]| entries.len() == count && entries.iter().all(|e| e.ended.is_some());
    let entries = stage.server.journal().when(trace, PATIENCE, all).await;
    entries.unwrap_or_else(|| panic!("{:?}", stage.server.journal().of(trace)))
}
