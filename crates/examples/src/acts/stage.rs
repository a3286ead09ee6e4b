//! What the acts have in common: ask, wait for the journal, and judge.

use std::fmt::Display;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio_ctx::{Cancelled, Reason};

use crate::client::{Answer, Call};
use crate::journal::{Entry, Journal};
use crate::server::Server;
use crate::timeline::{Timeline, millis};

/// How soon after its cause the last query must have stopped.
const PROMPT: Duration = Duration::from_millis(50);

/// How long an act waits for what it expects before it calls the promise broken.
const PATIENCE: Duration = Duration::from_secs(20);

/// How often an act is played until it is prompt: other processes may hold the processors.
const ATTEMPTS: u32 = 5;

/// What held, or why the act was not as promised.
pub(super) type Judgement<T = String> = Result<T, Broken>;

/// A promise that was not kept.
pub(super) struct Broken {
    what: String,
    /// All was well but the time it took.
    late: bool,
}

/// Where one act is played: the server, its journal, and the trace id of the act.
pub(super) struct Stage<'a> {
    address: SocketAddr,
    journal: Arc<Journal>,
    timeline: &'a Timeline,
    trace: String,
}

/// Ends the act with a broken promise unless the condition holds.
macro_rules! ensure {
    ($holds:expr, $($why:tt)+) => {
        if !$holds {
            return Err(Broken::from(format!($($why)+)));
        }
    };
}
pub(super) use ensure;

impl<'a> Stage<'a> {
    pub(super) fn new(server: &Server, timeline: &'a Timeline) -> Stage<'a> {
        let journal = Arc::clone(server.journal());
        Stage {
            address: server.address(),
            journal,
            timeline,
            trace: String::new(),
        }
    }

    /// Plays an act, once more if all that was wrong with it was the time it took.
    pub(super) async fn act(
        &self,
        number: usize,
        title: &str,
        play: impl AsyncFn(&Stage<'_>) -> Judgement,
    ) -> Option<String> {
        let mut stage = self.begin(number, title);
        let mut judgement = play(&stage).await;
        for attempt in 2..=ATTEMPTS {
            let Err(Broken { what, late: true }) = &judgement else {
                break;
            };
            self.note("late", &format!("{what}; is the machine busy? Once more."));
            stage.trace = format!("act-{number}.{attempt}");
            judgement = play(&stage).await;
        }
        self.judge(number, judgement)
    }

    /// Prints the title of an act, and sets its stage.
    pub(super) fn begin(&self, number: usize, title: &str) -> Stage<'a> {
        self.timeline.act(number, title);
        let (journal, trace) = (Arc::clone(&self.journal), format!("act-{number}"));
        Stage {
            address: self.address,
            journal,
            timeline: self.timeline,
            trace,
        }
    }

    /// Prints how an act ended; gives the line to end the demo with if that was badly.
    pub(super) fn judge(&self, number: usize, judgement: Judgement) -> Option<String> {
        match judgement {
            Ok(kept) => {
                self.note("ok", &kept);
                None
            }
            Err(Broken { what, .. }) => {
                self.note("BROKEN", &what);
                Some(format!("act {number}: {what}"))
            }
        }
    }

    pub(super) fn tell(&self, who: &str, what: &str) {
        self.timeline.line(who, what);
    }

    pub(super) fn note(&self, label: &str, what: &str) {
        self.timeline.judge(label, what);
    }

    pub(super) async fn request(&self, line: &str, headers: &[(&str, &str)]) -> Judgement<Call> {
        let mut all = vec![("x-trace-id", self.trace.as_str())];
        all.extend(headers);
        let shown = all.iter().map(|(name, value)| format!(", {name}: {value}"));
        let shown: String = shown.collect();
        self.tell("client", &format!("{line}{shown}"));
        Ok(Call::send(self.address, line, &all).await?)
    }

    pub(super) async fn answer(&self, call: Call, status: u16) -> Judgement<Answer> {
        let answer = call.answer().await?;
        let shown = match answer.json()["title"].as_str() {
            Some(problem) => format!("gets {}: {problem}", answer.status),
            // Spaced, so that a long one can be wrapped.
            None => format!(
                "gets {} {}",
                answer.status,
                answer.body.replace(",\"", ", \"")
            ),
        };
        self.tell("client", &shown);
        let got = answer.status;
        ensure!(got == status, "status {got} instead of {status}");
        Ok(answer)
    }

    /// Waits until the act has `count` pieces of work, all of them running.
    pub(super) async fn running(&self, count: usize) -> Judgement<()> {
        let all = |entries: &[Entry]| entries.len() == count;
        let entries = self.journal.when(&self.trace, PATIENCE, all).await;
        let entries = entries.ok_or_else(|| format!("{count} were not started"))?;
        let early = entries.iter().find(|entry| entry.ended.is_some());
        ensure!(early.is_none(), "ended too early: {early:?}");
        Ok(())
    }

    /// Waits until the act has `count` pieces of work, all of them ended.
    pub(super) async fn ended(&self, count: usize) -> Judgement<Vec<Entry>> {
        let all = |entries: &[Entry]| {
            entries.len() == count && entries.iter().all(|entry| entry.ended.is_some())
        };
        let entries = self.journal.when(&self.trace, PATIENCE, all).await;
        Ok(entries.ok_or_else(|| format!("not ended: {:?}", self.journal.of(&self.trace)))?)
    }

    pub(super) async fn check_serves(&self) -> Judgement<()> {
        let answer = Call::send(self.address, "GET /", &[])
            .await?
            .answer()
            .await?;
        ensure!(answer.status == 200, "afterwards, status {}", answer.status);
        Ok(())
    }

    pub(super) fn check_none_running(&self) -> Judgement<()> {
        let left = self.journal.running();
        ensure!(left.is_empty(), "still running: {left:?}");
        Ok(())
    }

    /// Tells who cancelled and why, and checks that `count` pieces of work were stopped for it.
    pub(super) fn why(
        &self,
        entries: &[Entry],
        count: usize,
        who: &str,
        reason: Reason,
    ) -> Judgement<Cancelled> {
        let stopped: Vec<&Cancelled> = entries.iter().filter_map(Entry::stopped).collect();
        ensure!(stopped.len() == count, "stopped: {stopped:?}, not {count}");
        self.note("who", who);
        self.note("why", &stopped[0].to_string());
        let strange = stopped
            .iter()
            .find(|cancelled| cancelled.reason() != reason);
        ensure!(strange.is_none(), "stopped for another reason: {strange:?}");
        Ok(stopped[0].clone())
    }
}

impl<T: Display> From<T> for Broken {
    fn from(what: T) -> Broken {
        Broken {
            what: what.to_string(),
            late: false,
        }
    }
}

/// Checks that the last of the stopped queries stopped soon after the cause.
pub(super) fn prompt(entries: &[Entry], cause: Instant, what: &str) -> Judgement {
    let stopped = entries.iter().filter(|entry| entry.stopped().is_some());
    let last = stopped
        .filter_map(|entry| entry.ended.as_ref().map(|(at, _)| *at))
        .max();
    let after = last
        .ok_or("nothing was stopped")?
        .saturating_duration_since(cause);
    let found = format!("the last query stopped {} after {what}", millis(after));
    if after > PROMPT {
        return Err(Broken {
            what: format!("{found}, more than {}", millis(PROMPT)),
            late: true,
        });
    }
    Ok(format!("{found} (promised: {})", millis(PROMPT)))
}

/// The tasks of this runtime.
pub(super) fn num_tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

/// By how many there are more tasks than before, once the runtime had a moment to count
/// them off.
pub(super) async fn tasks_above(before: usize) -> usize {
    let patience = Instant::now() + Duration::from_secs(1);
    while num_tasks() > before && Instant::now() < patience {
        tokio::task::yield_now().await;
    }
    num_tasks().saturating_sub(before)
}
