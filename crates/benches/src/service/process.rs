//! A service in a process of its own: [`Process`].

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// What makes the program one of the services.
pub(crate) const VERB: &str = "--service";

/// Longer than any count takes to become what it is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// Which of the services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Ours,
    /// Ours with a live view, at which nobody looks.
    Viewed,
    ByHand,
    Go,
    /// A hello-world on axum.
    Hello,
    /// The same with the layer.
    Layered,
    /// By hand, with our `serve` in place of axum's: what that costs.
    Served,
    /// By hand, with our layer around it: what that costs.
    UnderLayer,
    /// On axum's `serve`, with a context and a scope in place of the token and the `JoinSet`.
    Scoped,
    /// The same without a deadline.
    Unlimited,
}

impl Kind {
    pub(crate) const ALL: [Kind; 3] = [Kind::Ours, Kind::ByHand, Kind::Go];

    pub(crate) fn name(self) -> &'static str {
        self.names().0
    }

    /// Its name in tables, and the argument that makes the program it.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Kind::Ours => ("tokio-ctx", "ours"),
            Kind::Viewed => ("with a view", "viewed"),
            Kind::ByHand => ("by hand on axum", "by-hand"),
            Kind::Go => ("Go net/http", ""),
            Kind::Hello => ("without", "hello"),
            Kind::Layered => ("with the layer", "layered"),
            Kind::Served => ("our `serve` alone", "served"),
            Kind::UnderLayer => ("the layer alone", "under-layer"),
            Kind::Scoped => ("context and scope alone", "scoped"),
            Kind::Unlimited => ("those, no deadline", "unlimited"),
        }
    }
}

/// A service on the first core.
pub(crate) struct Process {
    pub(crate) address: SocketAddr,
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

/// What a service knows of its tasks.
pub(crate) struct Stats {
    pub(crate) live: i64,
    /// When the last task ended, in microseconds since the epoch.
    pub(crate) last_end: u64,
    /// The slowest question of a bystander, in nanoseconds.
    pub(crate) slowest: u64,
}

impl Process {
    /// `None` if there is no program: no Go here.
    pub(crate) fn start(kind: Kind, go: Option<&Path>) -> Option<Process> {
        let ours = std::env::current_exe().ok()?;
        let argument = kind.names().1;
        let (program, arguments) = match kind {
            Kind::Go => (go?, vec!["service"]),
            _ => (ours.as_path(), vec![VERB, argument]),
        };
        // Without `taskset` the system places it where it likes, all three alike.
        let mut command = match has_taskset() {
            true => {
                let mut pinned = Command::new("taskset");
                pinned.args(["-c", "0"]).arg(program);
                pinned
            }
            false => Command::new(program),
        };
        let mut child = command
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .ok()?;
        let input = child.stdin.take()?;
        let mut output = BufReader::new(child.stdout.take()?);
        let mut line = String::new();
        output.read_line(&mut line).ok()?;
        Some(Process {
            address: line.trim().parse().ok()?,
            child,
            input,
            output,
        })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn stats(&mut self, reset: bool) -> Stats {
        let line = if reset { "reset" } else { "stats" };
        writeln!(self.input, "{line}").expect("the service reads");
        self.input.flush().expect("the service reads");
        let mut answer = String::new();
        self.output
            .read_line(&mut answer)
            .expect("the service answers");
        let mut numbers = answer.split_whitespace().map(str::parse::<u64>);
        let mut next = || numbers.next().and_then(Result::ok).unwrap_or_default();
        Stats {
            live: next() as i64,
            last_end: next(),
            slowest: next(),
        }
    }

    /// Waits until so many tasks wait.
    pub(crate) fn until_live(&mut self, count: i64) -> Stats {
        let started = Instant::now();
        loop {
            let stats = self.stats(false);
            if stats.live == count {
                return stats;
            }
            assert!(
                started.elapsed() < PATIENCE,
                "{} tasks, and not {count}",
                stats.live
            );
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// The resident memory, in bytes.
    pub(crate) fn memory(&self) -> Option<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
        let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
        Some(kib * 1024.0)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only if it is gone already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn has_taskset() -> bool {
    Command::new("taskset")
        .arg("--version")
        .stdout(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Puts this process onto the second core, if there is one and a way to.
pub(crate) fn pin_clients() {
    if std::thread::available_parallelism().is_ok_and(|cpus| cpus.get() > 1) && has_taskset() {
        let id = std::process::id().to_string();
        let pinned = Command::new("taskset")
            .args(["-a", "-c", "-p", "1", &id])
            .stdout(Stdio::null())
            .status();
        drop(pinned);
    }
}

/// Gives this process all cores again.
pub(crate) fn unpin_clients() {
    let id = std::process::id().to_string();
    let all = Command::new("taskset")
        .args(["-a", "-c", "-p", "0-1023", &id])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    drop(all);
}
