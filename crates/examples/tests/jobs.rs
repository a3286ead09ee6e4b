//! The example of a message broker checks itself; here it is run.

use std::process::Command;

#[test]
fn a_job_stops_by_the_deadline_of_the_process_that_sent_it() {
    let output = Command::new(env!("CARGO_BIN_EXE_jobs")).output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{printed}{complaint}");
    // Where there is no Redis, it says so and does nothing.
    let was_run = printed.ends_with("jobs: 3 of 3 as promised\n");
    assert!(
        was_run || complaint.contains("redis-server"),
        "{printed}{complaint}"
    );
}
