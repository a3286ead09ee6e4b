//! The journal: which pieces of work are running, and how the last ones ended.
//!
//! A service keeps one to answer "what is it doing right now?"; the acts and the shutdown list
//! are written from it.

use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio_ctx::{Cancelled, Context};

use crate::trace::TraceId;

/// How many ended entries are kept, so that a server that never stops stays small.
const KEPT: usize = 64;

/// The pieces of work of one server; cheap to share behind an `Arc`.
#[derive(Debug, Default)]
pub struct Journal {
    entries: watch::Sender<Vec<Entry>>,
}

/// One piece of work: a query or a job.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The trace id of the request that asked for it; empty when none did.
    pub trace: String,
    /// What it is, as in `users query`.
    pub work: String,
    /// When it started.
    pub started: Instant,
    /// When its context would end by itself, if ever.
    pub deadline: Option<Instant>,
    /// When it ended and how; `None` while it runs.
    pub ended: Option<(Instant, Outcome)>,
    id: u64,
}

/// How a piece of work ended.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It did what was asked.
    Finished,
    /// Its context ended, and it stopped.
    Stopped(Cancelled),
    /// It failed, for this reason.
    Failed(String),
    /// It panicked.
    Panicked,
}

/// A piece of work that runs; one that is dropped before its end is entered has panicked.
#[derive(Debug)]
#[must_use = "dropped at once, it would tell of a panic"]
pub struct Work<'a> {
    journal: &'a Journal,
    id: u64,
    started: Instant,
}

impl Journal {
    /// Enters a piece of work that starts now, under the trace id of `ctx`.
    ///
    /// # Examples
    ///
    /// ```
    /// use examples::journal::{Journal, Outcome};
    /// use std::time::Instant;
    /// use tokio_ctx::Context;
    ///
    /// let journal = Journal::default();
    /// let work = journal.begin(&Context::background(), "users query");
    /// assert_eq!(journal.running().len(), 1);
    /// work.end(Instant::now(), Outcome::Finished);
    /// assert_eq!(journal.running().len(), 0);
    /// ```
    pub fn begin(&self, ctx: &Context, work: impl Into<String>) -> Work<'_> {
        let started = Instant::now();
        let mut id = 0;
        self.entries.send_modify(|entries| {
            id = entries.last().map_or(0, |last| last.id + 1);
            entries.push(Entry {
                trace: ctx.value::<TraceId>().cloned().unwrap_or_default(),
                work: work.into(),
                started,
                deadline: ctx.deadline().map(tokio::time::Instant::into_std),
                ended: None,
                id,
            });
            // The newest entry stays: its id is where the next one counts from.
            let mut surplus = entries.len().saturating_sub(KEPT);
            entries.retain(|entry| {
                let forget = surplus > 0 && entry.ended.is_some();
                surplus -= usize::from(forget);
                !forget
            });
        });
        Work {
            journal: self,
            id,
            started,
        }
    }

    /// The work that has not ended.
    ///
    /// # Examples
    ///
    /// ```
    /// assert!(examples::journal::Journal::default().running().is_empty());
    /// ```
    #[must_use]
    pub fn running(&self) -> Vec<Entry> {
        self.entries
            .borrow()
            .iter()
            .filter(|entry| entry.ended.is_none())
            .cloned()
            .collect()
    }

    /// The entries of one request, in the order of their start.
    ///
    /// # Examples
    ///
    /// ```
    /// assert!(examples::journal::Journal::default().of("act-1").is_empty());
    /// ```
    #[must_use]
    pub fn of(&self, trace: &str) -> Vec<Entry> {
        self.entries
            .borrow()
            .iter()
            .filter(|entry| entry.trace == trace)
            .cloned()
            .collect()
    }

    /// The entries of what started after `then`.
    pub(crate) fn since(&self, then: Instant) -> Vec<Entry> {
        self.entries
            .borrow()
            .iter()
            .filter(|entry| entry.started > then)
            .cloned()
            .collect()
    }

    /// The same entry as it is now, unless it was forgotten.
    pub(crate) fn latest(&self, entry: &Entry) -> Option<Entry> {
        self.entries
            .borrow()
            .iter()
            .find(|other| other.id == entry.id)
            .cloned()
    }

    /// Waits until the entries of one request satisfy `condition`; gives them back.
    ///
    /// `None` when that did not happen within `patience`.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// # use examples::journal::Journal;
    /// # use std::time::Duration;
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
    /// let journal = Journal::default();
    /// let idle = journal.when("act-1", Duration::from_secs(1), |entries| entries.is_empty());
    /// assert!(idle.await.is_some());
    /// # });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub async fn when(
        &self,
        trace: &str,
        patience: Duration,
        condition: impl Fn(&[Entry]) -> bool,
    ) -> Option<Vec<Entry>> {
        let mut changes = self.entries.subscribe();
        let wait = async {
            loop {
                changes.mark_unchanged();
                let entries = self.of(trace);
                if condition(&entries) {
                    return Some(entries);
                }
                changes.changed().await.ok()?;
            }
        };
        tokio::time::timeout(patience, wait).await.ok().flatten()
    }
}

impl Entry {
    /// How long it ran, or has been running.
    ///
    /// # Examples
    ///
    /// ```
    /// # use examples::journal::{Journal, Outcome};
    /// # use std::time::Instant;
    /// # use tokio_ctx::Context;
    /// let journal = Journal::default();
    /// let work = journal.begin(&Context::background(), "export");
    /// assert!(journal.running()[0].took() < std::time::Duration::from_secs(60));
    /// work.end(Instant::now(), Outcome::Finished);
    /// ```
    #[must_use]
    pub fn took(&self) -> Duration {
        match &self.ended {
            Some((at, _)) => at.duration_since(self.started),
            None => self.started.elapsed(),
        }
    }

    /// What stopped it, if something did.
    ///
    /// # Examples
    ///
    /// ```
    /// # use examples::journal::{Journal, Outcome};
    /// # use std::time::Instant;
    /// # use tokio_ctx::Context;
    /// let journal = Journal::default();
    /// journal.begin(&Context::background(), "export").end(Instant::now(), Outcome::Finished);
    /// assert!(journal.of("")[0].stopped().is_none());
    /// ```
    #[must_use]
    pub fn stopped(&self) -> Option<&Cancelled> {
        match &self.ended {
            Some((_, Outcome::Stopped(cancelled))) => Some(cancelled),
            _ => None,
        }
    }
}

impl Work<'_> {
    /// How long it has been running.
    ///
    /// # Examples
    ///
    /// ```
    /// # use examples::journal::Journal;
    /// # use tokio_ctx::Context;
    /// let journal = Journal::default();
    /// let work = journal.begin(&Context::background(), "export");
    /// assert!(work.took() < std::time::Duration::from_secs(60));
    /// ```
    #[must_use]
    pub fn took(&self) -> Duration {
        self.started.elapsed()
    }

    /// Enters when and how the work ended.
    ///
    /// # Examples
    ///
    /// ```
    /// # use examples::journal::{Journal, Outcome};
    /// # use std::time::Instant;
    /// # use tokio_ctx::Context;
    /// let journal = Journal::default();
    /// journal.begin(&Context::background(), "export").end(Instant::now(), Outcome::Finished);
    /// assert!(matches!(journal.of("")[0].ended, Some((_, Outcome::Finished))));
    /// ```
    pub fn end(self, at: Instant, outcome: Outcome) {
        self.enter(at, outcome);
    }

    fn enter(&self, at: Instant, outcome: Outcome) {
        self.journal.entries.send_modify(|entries| {
            let mine = entries.iter_mut().find(|entry| entry.id == self.id);
            if let Some(entry) = mine.filter(|entry| entry.ended.is_none()) {
                entry.ended = Some((at, outcome));
            }
        });
    }
}

impl Drop for Work<'_> {
    fn drop(&mut self) {
        // Does nothing after `end`, whose entry stands.
        self.enter(Instant::now(), Outcome::Panicked);
    }
}
