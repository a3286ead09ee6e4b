//! The demo as a process: a signal stops it in order and leaves nothing behind.

use std::process::Command;

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
mod signals {
    use std::io::{BufRead as _, BufReader, Read as _};
    use std::net::SocketAddr;
    use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
    use std::time::Instant;

    use examples::client::Call;
    use tempfile::TempDir;

    use crate::stage::PATIENCE;

    #[test]
    fn ctrl_c_stops_a_busy_server_in_order_and_removes_its_folder() {
        check_stops_in_order("INT", "Ctrl-C");
    }

    #[test]
    fn sigterm_stops_a_busy_server_in_order_and_removes_its_folder() {
        check_stops_in_order("TERM", "SIGTERM");
    }

    #[test]
    fn sigterm_ends_the_acts_and_removes_their_folder() {
        let mut demo = Demo::start(&[]);
        demo.says("Act 1: ");
        demo.signal("TERM");
        let (rest, status) = demo.end();
        assert_eq!(status.code(), Some(1), "{rest}");
        assert!(!rest.contains("acts as promised"), "{rest}");
        assert!(
            rest.contains("demo: cancelled by a signal: SIGTERM"),
            "{rest}"
        );
    }

    fn check_stops_in_order(signal: &str, shown: &str) {
        let mut demo = Demo::start(&["--serve"]);
        let line = demo.says("http://");
        let (_, address) = line.split_once("http://").unwrap();
        let address = address.split_once('/').unwrap().0.parse().unwrap();

        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let answer = runtime.block_on(async {
            let call = Call::send(address, "GET /report", &[("x-trace-id", "busy")])
                .await
                .unwrap();
            // The log tells of the queries before they run, and only what runs has to stop.
            all_queries_run(address).await;
            demo.signal(signal);
            call.answer().await.unwrap()
        });
        assert_eq!(
            (answer.status, &answer.json()["code"]),
            (503, &"shutting_down".into())
        );

        let (rest, status) = demo.end();
        assert!(status.success(), "{rest}");
        for query in ["users", "orders", "payments"] {
            let waited = format!("waited for {query} query [busy]: ");
            assert!(rest.contains(&waited), "{rest}");
        }
        assert!(rest.contains("stopped in order after"), "{rest}");
        assert!(
            rest.contains(&format!("cancelled by a signal: {shown}")),
            "{rest}"
        );
    }

    async fn all_queries_run(server: SocketAddr) {
        let until = Instant::now() + PATIENCE;
        loop {
            let call = Call::send(server, "GET /running", &[]).await.unwrap();
            let running = call.answer().await.unwrap().body;
            if running.matches(" query [busy]: ").count() == 3 {
                // Their tasks are in the server's tree of scopes as well.
                assert!(running.contains("task `payments` (blocking, "), "{running}");
                return;
            }
            assert!(Instant::now() < until, "{running}");
        }
    }

    /// A demo that runs, with a folder for its files.
    struct Demo {
        process: Child,
        said: BufReader<ChildStdout>,
        folder: TempDir,
    }

    impl Demo {
        fn start(arguments: &[&str]) -> Demo {
            let folder = tempfile::tempdir().unwrap();
            let mut process = Command::new(env!("CARGO_BIN_EXE_demo"))
                .args(arguments)
                .env("TMPDIR", folder.path())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            let said = BufReader::new(process.stdout.take().unwrap());
            Demo {
                process,
                said,
                folder,
            }
        }

        /// Reads on to the line that contains `text`.
        fn says(&mut self, text: &str) -> String {
            let mut line = String::new();
            while !line.contains(text) {
                line.clear();
                let read = self.said.read_line(&mut line).unwrap();
                assert_ne!(read, 0, "it ended before it said {text:?}");
            }
            line
        }

        fn signal(&self, name: &str) {
            let kill = format!("kill -{name} {}", self.process.id());
            let status = Command::new("sh").args(["-c", &kill]).status();
            assert!(status.unwrap().success());
        }

        /// Reads to its end, and checks that it took its files along.
        fn end(mut self) -> (String, ExitStatus) {
            let mut rest = String::new();
            self.said.read_to_string(&mut rest).unwrap();
            // A few lines at most, so it never had to wait for a reader.
            let mut errors = self.process.stderr.take().unwrap();
            errors.read_to_string(&mut rest).unwrap();
            let status = self.process.wait().unwrap();
            let left = std::fs::read_dir(self.folder.path()).unwrap().count();
            assert_eq!(left, 0, "files are left behind: {rest}");
            (rest, status)
        }
    }
}
