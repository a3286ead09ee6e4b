//! What the cuts of one test came to.

use std::panic::Location;
use std::time::Duration;

use crate::name::Place;

use super::line::one_line;

/// The result of all cuts of one function: [`assert_ok`](Report::assert_ok) is for tests, `Display`
/// for people.
#[must_use = "a report fails no test by itself; `assert_ok` does"]
#[derive(Debug)]
pub struct Report {
    pub(crate) mode: Mode,
    /// The name of the thread, which a test harness makes the name of the test.
    pub(crate) test: Option<String>,
    pub(crate) caller: &'static Location<'static>,
    pub(crate) points: u64,
    pub(crate) runs: u64,
    pub(crate) took: Duration,
    /// Why there are no cuts: the call fails even if it is not cut.
    pub(crate) clean: Option<Cut>,
    pub(crate) cuts: Vec<Cut>,
    pub(crate) notes: Vec<String>,
}

/// What is done to the call at a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Drop,
    Crash,
    Cancel,
    Fail,
}

impl Mode {
    /// The method of [`World`](crate::World).
    pub(crate) fn method(self) -> &'static str {
        match self {
            Mode::Drop => "drop_everywhere",
            Mode::Crash => "crash_everywhere",
            Mode::Cancel => "cancel_everywhere",
            Mode::Fail => "fail_everywhere",
        }
    }
}

/// One cut: where it was made, what became of the call, and what was wrong afterwards.
#[derive(Clone, Debug)]
pub struct Cut {
    pub(crate) point: u64,
    pub(crate) between: bool,
    pub(crate) places: Vec<Place>,
    pub(crate) outcome: Outcome,
    pub(crate) faults: Vec<Fault>,
}

/// What became of a call that was cut.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It was dropped, as it should.
    Dropped,
    /// It returned an error that says that it was cancelled.
    Cancelled,
    /// It ended well, in spite of the cut or before it.
    Finished,
    /// It returned an error, of which this is the text.
    Failed(String),
    /// It panicked, with this text.
    Panicked(String),
    /// It went on for too long after it was cancelled.
    Deaf,
    /// It would have gone on for ever.
    Hangs,
}

/// One thing that was wrong after a cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub(crate) kind: FaultKind,
    pub(crate) text: String,
}

/// The kinds of [`Fault`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FaultKind {
    /// The check panicked, or did not end.
    Check,
    /// A second call after the cut failed, panicked, or did not end.
    SecondCall,
    /// Tasks that the call spawned still run.
    StillRuns,
    /// The call panicked, or its drop did.
    Panic,
    /// A spawned task panicked that does not do so in a run without a cut.
    TaskPanic,
    /// The call went on for too long after it was cancelled.
    Deaf,
    /// The call would have gone on for ever.
    Hangs,
    /// A run without a cut failed.
    Clean,
}

impl Report {
    /// Whether no cut left a fault, and the run without a cut was clean.
    pub fn is_ok(&self) -> bool {
        self.clean.is_none() && self.failures().next().is_none()
    }

    /// Fails the test with the whole report as its message, unless [`is_ok`](Report::is_ok).
    ///
    /// # Panics
    /// If a cut left a fault, or if the function fails without a cut.
    #[track_caller]
    pub fn assert_ok(&self) {
        assert!(self.is_ok(), "\n{self}");
    }

    /// The points at which the function can be cut.
    pub fn points(&self) -> u64 {
        self.points
    }

    /// How many times the function was run, the runs without a cut included.
    pub fn runs(&self) -> u64 {
        self.runs
    }

    /// How long all of it took.
    pub fn took(&self) -> Duration {
        self.took
    }

    /// All cuts that were made.
    pub fn cuts(&self) -> &[Cut] {
        &self.cuts
    }

    /// The cuts that left a fault.
    pub fn failures(&self) -> impl Iterator<Item = &Cut> {
        self.cuts.iter().filter(|cut| !cut.faults.is_empty())
    }

    /// What is wrong with a run that is not cut; then there are no cuts.
    pub fn clean_failure(&self) -> Option<&Cut> {
        self.clean.as_ref()
    }

    /// What is worth knowing about the report itself: that runs differ, that points were left out.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }
}

impl Cut {
    /// The number of the point, from 1; it is what replays the cut.
    pub fn point(&self) -> u64 {
        self.point
    }

    /// Where the call stood: more than one place where it waited for several things at once.
    ///
    /// Only known for a cut that left a fault, as finding the names takes time.
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// Whether the cut came after the poll of a spawned task, while the call itself waited.
    pub fn is_between(&self) -> bool {
        self.between
    }

    /// What became of the call.
    pub fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    /// What was wrong afterwards.
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }
}

impl Fault {
    pub(crate) fn new(kind: FaultKind, text: impl AsRef<str>) -> Fault {
        Fault {
            kind,
            text: one_line(text.as_ref()),
        }
    }

    /// What kind of fault it is.
    pub fn kind(&self) -> FaultKind {
        self.kind
    }

    /// What is wrong, in one line.
    pub fn text(&self) -> &str {
        &self.text
    }
}
