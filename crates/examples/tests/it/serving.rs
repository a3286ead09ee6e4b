//! `demo --serve`, as a process: Ctrl-C stops it in order and leaves nothing behind.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Stdio};

use examples::client::Call;

#[test]
fn unknown_arguments_are_refused() {
    let demo = Command::new(env!("CARGO_BIN_EXE_demo"))
        .arg("--sevre")
        .output()
        .unwrap();
    assert_eq!(demo.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&demo.stderr).starts_with("usage: "));
}

#[cfg(unix)]
#[test]
fn ctrl_c_stops_a_busy_server_in_order_and_removes_its_folder() {
    let temporary = tempfile::tempdir().unwrap();
    let mut demo = Command::new(env!("CARGO_BIN_EXE_demo"))
        .arg("--serve")
        .env("TMPDIR", temporary.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(demo.stdout.take().unwrap());
    let mut line = String::new();
    let address = loop {
        line.clear();
        assert_ne!(
            said.read_line(&mut line).unwrap(),
            0,
            "it ended before it served"
        );
        if let Some((_, rest)) = line.split_once("http://") {
            break rest.split_once('/').unwrap().0.parse().unwrap();
        }
    };

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let answer = runtime.block_on(async {
        let call = Call::send(address, "GET /report", &[("x-trace-id", "busy")])
            .await
            .unwrap();
        while !line.contains("[busy] queries") {
            line.clear();
            assert_ne!(
                said.read_line(&mut line).unwrap(),
                0,
                "it ended under its request"
            );
        }
        let interrupt = format!("kill -INT {}", demo.id());
        assert!(
            Command::new("sh")
                .args(["-c", &interrupt])
                .status()
                .unwrap()
                .success()
        );
        call.answer().await.unwrap()
    });
    assert_eq!(
        (answer.status, &answer.json()["error"]),
        (503, &"the server shuts down".into())
    );

    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    assert!(demo.wait().unwrap().success(), "{rest}");
    assert!(
        rest.contains("waited for ") && rest.contains(" query [busy]: "),
        "{rest}"
    );
    assert!(rest.contains("stopped in order after"), "{rest}");
    assert_eq!(std::fs::read_dir(temporary.path()).unwrap().count(), 0);
}
