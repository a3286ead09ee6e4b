//! The guide's first service, run as the guide says: a real client hangs up.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

const PROGRAM: &str = include_str!("../examples/ten_minutes.rs");
const PAGE: &str = include_str!("../../../docs/guide/02-ten-minutes.md");

fn built_examples() -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    let deps = test.parent().expect("a test lies in a folder");
    deps.parent()
        .expect("deps lies in the profile's folder")
        .join("examples")
}

/// Ends with the test, however that ends.
struct Service(Child);

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_page_shows_the_program_that_is_tested() {
    let block = PAGE
        .split("```rust,no_run\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next());
    // What another test calls is visible to it.
    let program = PROGRAM.replace("pub(crate) ", "");
    assert_eq!(block, Some(&*program));
}

#[test]
fn the_work_of_a_request_stops_when_its_client_hangs_up() {
    let mut command = Command::new(built_examples().join("ten_minutes"));
    command.arg("127.0.0.1:0").stdout(Stdio::piped());
    let mut service = Service(command.spawn().expect("cargo built it"));
    let stdout = service.0.stdout.take().expect("it is piped");
    let mut lines = BufReader::new(stdout)
        .lines()
        .map(|line| line.expect("text"));

    let first = lines.next().expect("it says where it listens");
    let address = first
        .strip_prefix("listening on http://")
        .expect("an address");
    let mut client = TcpStream::connect(address).expect("it listens");
    client
        .write_all(b"GET /report HTTP/1.1\r\nhost: test\r\n\r\n")
        .expect("it reads");

    // The service prints until it stops or its deadline passes, so no read waits for ever.
    let mut started = lines.by_ref().take_while(|line| !line.ends_with(": 0"));
    assert_eq!(
        started.next(),
        None,
        "the counts are the first that it prints"
    );
    drop(client);
    let stopped: Vec<String> = lines
        .filter(|line| line.contains("stopped"))
        .take(2)
        .collect();
    assert_eq!(stopped.len(), 2);
    for line in stopped {
        assert!(
            line.contains("cancelled because the caller went away"),
            "{line}"
        );
    }
}
