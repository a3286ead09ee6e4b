//! Runs every example program; each checks itself and fails by panicking.

use std::path::PathBuf;
use std::process::Command;

/// Where cargo puts the examples that it builds together with this test.
fn built_examples() -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    let deps = test.parent().expect("a test lies in a folder");
    deps.parent()
        .expect("deps lies in the profile's folder")
        .join("examples")
}

fn check(name: &str) {
    let output = Command::new(built_examples().join(name))
        .output()
        .expect("cargo built it");
    assert!(
        output.status.success(),
        "{name}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
}

#[test]
fn the_trace_id_is_in_the_log_lines_of_spawned_work() {
    check("trace_id");
}

#[test]
fn a_library_refreshes_in_the_background_of_its_users_scope() {
    check("cache");
}

#[test]
fn a_worker_drains_and_retries_within_its_budget() {
    check("worker");
    check("worker_by_hand");
}

#[test]
fn a_queue_works_on_each_message_under_its_own_context() {
    check("message_queue");
}

#[test]
fn a_pipeline_stops_when_its_reader_goes() {
    check("pipeline");
}

#[test]
fn throttled_bulk_work_waits_for_slots_under_its_context() {
    check("throttled");
}

#[test]
fn a_subscription_outlives_its_request() {
    check("subscription");
}

#[test]
fn a_batch_producer_acknowledges_per_call() {
    check("batch_producer");
}

#[test]
fn a_handler_receives_its_user() {
    check("typed_auth");
}

#[test]
fn one_struct_under_one_key() {
    check("metadata");
}

#[test]
fn a_tool_call_stops_when_its_agent_cancels_it_or_leaves() {
    check("mcp");
}

#[test]
fn no_example_is_left_out() {
    let mut programs: Vec<String> = std::fs::read_dir("examples")
        .expect("tests run in the folder of their package")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "rs"))
        .map(|path| {
            path.file_stem()
                .expect("a name")
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    programs.sort();
    let this = include_str!("situations.rs");
    for program in programs {
        // A program that does not end by itself has a test file of its own.
        let has_own_test = std::path::Path::new("tests")
            .join(format!("{program}.rs"))
            .exists();
        assert!(
            has_own_test || this.contains(&format!("check(\"{program}\")")),
            "{program} is not run"
        );
    }
}
