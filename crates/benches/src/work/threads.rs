//! Threads that share: rows 5 and 12.

use std::hint::{self, black_box};
use std::num::NonZero;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use tokio_ctx::{Context, key};
use tokio_util::sync::CancellationToken;

use crate::go::Go;
use crate::harness::Group;

key! { Shared: &'static str }

/// Does `work` `times` times altogether on `threads` threads, and tells how long that took.
///
/// If each thread can have a processor of its own, all begin when each has one.
pub(crate) fn together(threads: usize, times: u64, work: impl Fn() + Sync) -> Duration {
    let share = times.div_ceil(threads as u64);
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    let meeting = (threads <= processors).then(|| Meeting::of(threads));
    let (begin, end) = (Barrier::new(threads), Barrier::new(threads + 1));
    let run = |number| {
        begin.wait();
        if let Some(meeting) = &meeting {
            meeting.attend(number);
        }
        let start = Instant::now();
        for _ in 0..share {
            work();
        }
        end.wait();
        start
    };
    thread::scope(|scope| {
        let run = &run;
        let threads: Vec<_> = (0..threads)
            .map(|number| scope.spawn(move || run(number)))
            .collect();
        end.wait();
        let end = Instant::now();
        let starts = threads.into_iter().map(ScopedJoinHandle::join);
        let first = starts.map(|start| start.expect("the work does not panic"));
        first.min().map_or(Duration::ZERO, |start| end - start)
    })
}

/// Sees to it that threads run at the same time. The kernel may start two on one processor, and
/// move one of them milliseconds later: until then they take turns, and share nothing.
struct Meeting {
    threads: usize,
    /// Whose turn it is, counted on; [`OVER`] when all were quick.
    turn: AtomicUsize,
}

const OVER: usize = usize::MAX;

/// Only threads that run at the same time pass the turn round so often in so little time.
const LAPS: usize = 64;
const QUICK: Duration = Duration::from_micros(200);

/// How long it is tried, which is less than a turn: on a busy machine the round is void anyway.
const PATIENCE: Duration = Duration::from_millis(3);

/// A thread that has asked for its turn so often shares a processor with the thread whose turn it
/// is. Once it sleeps and wakes up, it is given an idle one.
const SPINS: usize = 5_000;
const NAP: Duration = Duration::from_micros(50);

impl Meeting {
    fn of(threads: usize) -> Self {
        let turn = AtomicUsize::new(0);
        Self { threads, turn }
    }

    /// Returns when all are there.
    fn attend(&self, number: usize) {
        if number > 0 {
            while self.wait_for(number) {
                self.turn.fetch_add(1, Ordering::AcqRel);
            }
            return;
        }
        let begun = Instant::now();
        let (mut start, mut laps) = (begun, 0);
        while laps < LAPS && begun.elapsed() < PATIENCE {
            self.turn.fetch_add(1, Ordering::AcqRel);
            self.wait_for(0);
            laps += 1;
            if start.elapsed() > QUICK {
                (start, laps) = (Instant::now(), 0);
            }
        }
        self.turn.store(OVER, Ordering::Release);
    }

    /// Whether it is the turn of `number`; `false` when the meeting is over.
    fn wait_for(&self, number: usize) -> bool {
        let mut spins = 0_usize;
        loop {
            spins += 1;
            match self.turn.load(Ordering::Acquire) {
                OVER => return false,
                turn if turn % self.threads == number => return true,
                _ if spins.is_multiple_of(SPINS) => thread::sleep(NAP),
                _ => hint::spin_loop(),
            }
        }
    }
}

/// A hundred divisions that cannot be left out, each waiting for the one before, of the
/// width that Go's benchmark has.
fn divisions(mut x: i64) -> i64 {
    for divisor in 1..=100 {
        x /= black_box(divisor);
    }
    x
}

/// Go's CommonParentCancel with four threads: derive, look a value up through the child,
/// divide, cancel, divide. The divisions only pass the time, so there is a row without them.
pub(super) fn common_parent(go: &Go) -> Group<'_> {
    let shared = Context::background()
        .with_value::<Shared>("value")
        .with_cancel();
    let alone = Context::clone(&shared);
    Group::new()
        .timed("tokio-ctx", move |times| {
            together(4, times, || {
                let child = shared.with_cancel();
                assert_eq!(child.value::<Shared>(), Some(&"value"));
                let x = divisions(black_box(0));
                child.cancel();
                assert_eq!(divisions(x), 0);
            })
        })
        .timed("no divisions", move |times| {
            together(4, times, || {
                let child = alone.with_cancel();
                assert_eq!(child.value::<Shared>(), Some(&"value"));
                child.cancel();
            })
        })
        .timed("the divisions alone", move |times| {
            together(4, times, || {
                let x = divisions(black_box(0));
                assert_eq!(divisions(x), 0);
            })
        })
        .go("Go", go, "common4", 0)
        .go("Go, no divisions", go, "shared4", 0)
        .row(
            "12",
            "4 threads derive, look up, cancel under one parent, and divide",
            "tokio-ctx",
            "Go",
            0.50,
        )
        .row(
            "12i",
            "the same without the divisions, which only pass the time",
            "no divisions",
            "Go, no divisions",
            None,
        )
        .row(
            "12i",
            "4 threads divide and do nothing else",
            "the divisions alone",
            "Go",
            None,
        )
}

pub(super) fn derive_together<'a>() -> Group<'a> {
    let parent = Context::background().with_cancel();
    let token = CancellationToken::new();
    Group::new()
        .timed("tokio-ctx", move |times| {
            together(4, times, || {
                black_box(parent.with_cancel().cancel());
            })
        })
        .timed("token", move |times| {
            together(4, times, || token.child_token().cancel())
        })
        .row(
            "12b",
            "4 threads derive, cancel, drop under one parent",
            "tokio-ctx",
            "token",
            0.60,
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_attend_a_meeting_leave_it() {
        for threads in 1..4 {
            let meeting = Meeting::of(threads);
            thread::scope(|scope| {
                for number in 0..threads {
                    let meeting = &meeting;
                    scope.spawn(move || meeting.attend(number));
                }
            });
            assert_eq!(meeting.turn.into_inner(), OVER);
        }
    }

    #[test]
    fn the_work_is_done_as_often_as_asked() {
        let done = AtomicUsize::new(0);
        let work = || {
            done.fetch_add(1, Ordering::Relaxed);
        };
        together(2, 10, work);
        together(3, 10, work);
        // Of three threads each does four.
        assert_eq!(done.into_inner(), 22);
    }
}
