//! Histories of a chain of contexts, and the search for a linearization of one.
//!
//! The promise: whatever several threads do to one tree, they see what some order of their
//! calls would show on a tree in which `cancel` changes a node and all its live descendants at
//! once.

use tokio_ctx_core::{CancelHandle, Context};

use super::harness::checker::sync::atomic::{AtomicUsize, Ordering};
use super::harness::{cancellable, err};

/// Parent, child, grandchild: each the child of the one before it.
pub(crate) struct Chain {
    nodes: Vec<(Context, CancelHandle)>,
    /// Stamps that order calls of different threads by real time, if the model wants them;
    /// they synchronise threads, and so hide what weak memory would show.
    stamps: Option<AtomicUsize>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Call {
    Cancel(usize, char),
    Err(usize),
    Done(usize),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Answer {
    Cancelled(bool),
    Err(Option<char>),
    Done(bool),
}

/// One call, its answer, and what is known to have been before it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event {
    call: Call,
    answer: Answer,
    from: usize,
    to: usize,
}

/// The calls of one thread, in order.
pub(crate) type Thread = Vec<Event>;

impl Chain {
    pub(crate) fn new(length: usize) -> Chain {
        let mut nodes: Vec<(Context, CancelHandle)> = Vec::new();
        for _ in 0..length {
            let parent = nodes
                .last()
                .map_or_else(Context::background, |(ctx, _)| ctx.clone());
            nodes.push(cancellable(&parent));
        }
        Chain {
            nodes,
            stamps: None,
        }
    }

    pub(crate) fn stamped(mut self) -> Chain {
        self.stamps = Some(AtomicUsize::new(1));
        self
    }

    /// Makes the calls, one after another.
    pub(crate) fn call(&self, calls: &[Call]) -> Thread {
        calls
            .iter()
            .map(|&call| {
                let from = self.stamp(0);
                let answer = self.answer(call);
                let to = self.stamp(usize::MAX);
                Event {
                    call,
                    answer,
                    from,
                    to,
                }
            })
            .collect()
    }

    fn stamp(&self, unknown: usize) -> usize {
        self.stamps
            .as_ref()
            .map_or(unknown, |stamps| stamps.fetch_add(1, Ordering::AcqRel))
    }

    fn answer(&self, call: Call) -> Answer {
        match call {
            Call::Cancel(node, cause) => {
                Answer::Cancelled(self.nodes[node].1.cancel_with(cause.to_string()))
            }
            Call::Err(node) => Answer::Err(err(&self.nodes[node].0)),
            Call::Done(node) => Answer::Done(self.nodes[node].0.is_done()),
        }
    }

    pub(crate) fn err(&self, node: usize) -> Option<char> {
        err(&self.nodes[node].0)
    }

    /// Asserts that `threads`, and after them all `last`, have a linearization.
    pub(crate) fn assert_linearizable(&self, threads: &[Thread], last: &Thread) {
        let tree = vec![None; self.nodes.len()];
        let mut taken = vec![0; threads.len()];
        assert!(
            search(threads, last, &mut taken, &tree),
            "no order of these calls explains their answers: {threads:#?}, at the end {last:#?}"
        );
    }
}

fn search(threads: &[Thread], last: &Thread, taken: &mut [usize], tree: &[Option<char>]) -> bool {
    let mut is_over = true;
    for thread in 0..threads.len() {
        let Some(event) = threads[thread].get(taken[thread]) else {
            continue;
        };
        is_over = false;
        // In real time, another call may have returned before this one began.
        let is_late = (0..threads.len()).any(|other| {
            other != thread
                && threads[other]
                    .get(taken[other])
                    .is_some_and(|first| first.to < event.from)
        });
        if is_late {
            continue;
        }
        if let Some(next) = apply(event, tree) {
            taken[thread] += 1;
            let found = search(threads, last, taken, &next);
            taken[thread] -= 1;
            if found {
                return true;
            }
        }
    }
    is_over
        && last
            .iter()
            .try_fold(tree.to_vec(), |tree, event| apply(event, &tree))
            .is_some()
}

/// The tree after the call, if the call would have given that answer.
fn apply(event: &Event, tree: &[Option<char>]) -> Option<Vec<Option<char>>> {
    let mut tree = tree.to_vec();
    let answer = match event.call {
        Call::Cancel(node, cause) => {
            let is_live = tree[node].is_none();
            if is_live {
                for outcome in &mut tree[node..] {
                    outcome.get_or_insert(cause);
                }
            }
            Answer::Cancelled(is_live)
        }
        Call::Err(node) => Answer::Err(tree[node]),
        Call::Done(node) => Answer::Done(tree[node].is_some()),
    };
    (answer == event.answer).then_some(tree)
}
