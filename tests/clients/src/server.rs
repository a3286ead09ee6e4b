//! A process of the service, as the harness sees it.

use std::error::Error;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// How long a server may take to stop.
const STOP: Duration = Duration::from_secs(15);

/// How long the last connections and requests may take to end once their clients have left.
const LEFT: Duration = Duration::from_secs(10);

pub(crate) struct Server {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    pub(crate) url: String,
    pub(crate) admin: String,
}

/// What a server says last.
pub(crate) struct Last {
    /// The ends of the requests, by id.
    pub(crate) ended: Value,
    /// Nothing was cut off, and the process ended well.
    pub(crate) is_clean: bool,
    pub(crate) report: String,
}

impl Server {
    pub(crate) async fn start() -> Result<Server, Box<dyn Error + Send + Sync>> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("serve")
            .stdout(std::process::Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let stdout = child.stdout.take().ok_or("no standard output")?;
        let mut lines = BufReader::new(stdout).lines();
        let first = lines.next_line().await?.ok_or("the server did not start")?;
        let (url, admin) = first
            .split_once(' ')
            .ok_or("the server did not say where it is")?;
        Ok(Server {
            url: url.to_owned(),
            admin: admin.to_owned(),
            child,
            lines,
        })
    }

    /// Waits until no request, no task and no scope but the server's own is live any more.
    pub(crate) async fn nothing_is_left(&self) -> Result<(), Box<dyn Error + Send + Sync>> {
        let started = Instant::now();
        loop {
            let text = reqwest::get(format!("{}/live", self.admin))
                .await?
                .text()
                .await?;
            let live: Value = serde_json::from_str(&text)?;
            if live == json!({ "requests": 0, "tasks": 0, "scopes": 1 }) {
                return Ok(());
            }
            if started.elapsed() > LEFT {
                return Err(format!("something is left: {live}").into());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Its memory in KiB, where the system says so.
    pub(crate) fn resident(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()?)).ok()?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.trim().trim_end_matches(" kB").parse().ok()
    }

    /// Sends SIGTERM.
    pub(crate) async fn terminate(&self) -> Result<(), Box<dyn Error + Send + Sync>> {
        let id = self.child.id().ok_or("the server has ended by itself")?;
        let status = Command::new("kill")
            .args(["-TERM", &id.to_string()])
            .status()
            .await?;
        status
            .success()
            .then_some(())
            .ok_or_else(|| "kill failed".into())
    }

    /// Waits for a server that was told to stop.
    pub(crate) async fn last(mut self) -> Result<Last, Box<dyn Error + Send + Sync>> {
        let mut last = Last {
            ended: Value::Null,
            is_clean: false,
            report: String::new(),
        };
        let stopping = tokio::time::timeout(STOP, async {
            while let Some(line) = self.lines.next_line().await? {
                match line.strip_prefix("ended ") {
                    Some(ended) => last.ended = serde_json::from_str(ended)?,
                    None => last.report = line,
                }
            }
            Ok::<_, Box<dyn Error + Send + Sync>>(self.child.wait().await?)
        });
        last.is_clean = stopping
            .await
            .map_err(|_| "the server does not stop")??
            .success();
        Ok(last)
    }
}
