//! The processes as the one that started them sees them: what they tell, and how they end.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;

use super::Failure;

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(20);

/// Microseconds of the clock that all processes of a machine share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Micros(u64);

pub(crate) fn now() -> Micros {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Micros(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}

impl Micros {
    pub(crate) fn since(self, earlier: Micros) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

/// What a process saw of a request.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Event {
    pub(crate) process: String,
    pub(crate) at: Micros,
    /// The first digits of the trace id.
    pub(crate) trace: String,
    /// Whether the key that is on no list was there.
    pub(crate) is_admin: bool,
    pub(crate) what: What,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum What {
    Received { left: Option<Duration> },
    Finished,
    Stopped { why: String },
}

impl Event {
    /// Tells the process that started this one, in a line of its own.
    pub(crate) fn tell(&self) {
        println!("{}", serde_json::json!(self));
    }
}

/// A process that was started from this one.
struct Process {
    name: &'static str,
    child: Child,
    /// Closed to ask it to stop, by us or by our own end.
    stdin: Option<ChildStdin>,
}

/// Nothing is left running, however this process ends.
impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only if it is gone already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The three processes.
pub(crate) struct Fleet {
    pub(crate) edge: SocketAddr,
    /// Where each says what it runs.
    pub(crate) views: Vec<SocketAddr>,
    processes: Vec<Process>,
    events: UnboundedReceiver<Event>,
}

impl Fleet {
    pub(crate) async fn start() -> Result<Fleet, Failure> {
        let (sender, events) = unbounded_channel();
        let mut processes = Vec::new();
        let mut address = None;
        let mut views = Vec::new();
        for name in ["pricing", "catalog", "edge"] {
            let mut child = Command::new(std::env::current_exe()?)
                .arg(name)
                .args(address.as_ref().map(SocketAddr::to_string))
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()?;
            let stdin = child.stdin.take();
            let stdout = child.stdout.take().ok_or("no pipe")?;
            processes.push(Process { name, child, stdin });
            let [service, view] = listens(stdout, sender.clone()).await?;
            address = Some(service);
            views.push(view);
        }
        let edge = address.ok_or("no edge")?;
        processes.reverse();
        Ok(Fleet {
            edge,
            views,
            processes,
            events,
        })
    }

    /// The next events, in the order in which they happened.
    pub(crate) async fn events(&mut self, count: usize) -> Result<Vec<Event>, Failure> {
        let mut events = Vec::new();
        while events.len() < count {
            let next = timeout(LONG, self.events.recv()).await;
            let next = next.map_err(|_| format!("{count} events were to come, but {events:?}"))?;
            events.push(next.ok_or("all processes are gone")?);
        }
        events.sort_by_key(|event| event.at);
        Ok(events)
    }

    pub(crate) fn stop_edge(&mut self) {
        self.processes[0].stdin = None;
    }

    /// Stops one after the other, from the edge on. Says how each ended.
    pub(crate) async fn stop(self) -> Result<Vec<(&'static str, String)>, Failure> {
        let mut ends = Vec::new();
        for mut process in self.processes {
            let end = tokio::task::spawn_blocking(move || {
                process.stdin = None;
                process.child.wait().map(|status| (process.name, status))
            });
            let (name, status) = timeout(LONG, end).await???;
            let end = match status.code() {
                Some(0) => "nothing left, exit 0".to_owned(),
                _ => status.to_string(),
            };
            ends.push((name, end));
        }
        Ok(ends)
    }
}

/// Forwards what a process tells, on a thread that ends with it. Returns where its service and
/// its view listen, which are the first things it says.
async fn listens(
    stdout: ChildStdout,
    events: UnboundedSender<Event>,
) -> Result<[SocketAddr; 2], Failure> {
    let (send_address, mut addresses) = unbounded_channel();
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            match serde_json::from_str(&line) {
                Ok(event) => drop(events.send(event)),
                Err(_) => drop(send_address.send(line)),
            }
        }
    });
    let mut next = async || -> Result<SocketAddr, Failure> {
        let line = timeout(LONG, addresses.recv()).await?;
        Ok(line.ok_or("a process did not start")?.parse()?)
    };
    Ok([next().await?, next().await?])
}
