//! Callbacks: exactly once, or prevented, and never both.

use std::sync::Arc;

use tokio_ctx_core::Context;

use super::harness::checker::sync::atomic::{AtomicUsize, Ordering};
use super::harness::{Model, cancellable, err, letter, spawn};

/// Counts runs; a callback that runs a second time fails the model.
#[derive(Clone, Default)]
pub(crate) struct Runs(Arc<std::sync::Mutex<Vec<char>>>);

impl Runs {
    pub(crate) fn callback(&self) -> impl FnOnce(&tokio_ctx_core::Cancelled) + Send + 'static {
        let runs = self.clone();
        move |cancelled| runs.0.lock().unwrap().push(letter(cancelled))
    }

    /// The outcome each run was given. Only meaningful once the threads are joined.
    pub(crate) fn all(&self) -> String {
        self.0.lock().unwrap().iter().collect()
    }
}

/// A callback that is registered while an ancestor is cancelled runs once.
#[test]
fn registered_during_cancel_runs_once() {
    Model::of(20).small().explore(|_| {
        let runs = Runs::default();
        let (parent, handle) = cancellable(&Context::background());
        let child = parent.with_cancel().disarm();
        let canceller = spawn(move || handle.cancel_with("A"));
        let registration = child.on_cancel(runs.callback());
        assert!(canceller.join().unwrap());
        assert_eq!(runs.all(), "A");
        assert!(!registration.stop());
    });
}

/// The same on the context that is cancelled itself.
#[test]
fn registered_during_own_cancel_runs_once() {
    Model::of(7).small().explore(|_| {
        let runs = Runs::default();
        let (ctx, handle) = cancellable(&Context::background());
        let canceller = spawn(move || handle.cancel_with("A"));
        let registration = ctx.on_cancel(runs.callback());
        assert!(canceller.join().unwrap());
        assert_eq!(runs.all(), "A");
        drop(registration);
    });
}

/// Either stopped or run.
#[test]
fn stop_prevents_or_is_late() {
    Model::of(3)
        .small()
        .sees(&["ran", "stopped"])
        .explore(|seen| {
            let runs = Runs::default();
            let (parent, handle) = cancellable(&Context::background());
            // Kept: what the last handle decides, loom does not explore.
            let child = parent.with_cancel().disarm();
            let registration = child.on_cancel(runs.callback());
            let canceller = spawn(move || handle.cancel_with("A"));
            let stopped = registration.stop();
            assert!(canceller.join().unwrap());
            assert_eq!(runs.all(), if stopped { "" } else { "A" });
            seen.mark(if stopped { "stopped" } else { "ran" });
        });
}

/// Register, stop, cancel of the node itself and of its parent: still one or the other, and
/// the callback is told what everybody is told.
#[test]
fn stop_against_two_cancels() {
    Model::of(1_000)
        .sees(&["A", "B", "stopped"])
        .explore(|seen| {
            let runs = Runs::default();
            let (parent, by_parent) = cancellable(&Context::background());
            let (child, by_child) = cancellable(&parent);
            let registration = child.on_cancel(runs.callback());
            let one = spawn(move || by_parent.cancel_with("A"));
            let two = spawn(move || by_child.cancel_with("B"));
            let stopped = registration.stop();
            assert!(one.join().unwrap());
            two.join().unwrap();
            match (stopped, runs.all().as_str(), err(&child)) {
                (true, "", Some(_)) => seen.mark("stopped"),
                (false, "A", Some('A')) => seen.mark("A"),
                (false, "B", Some('B')) => seen.mark("B"),
                other => panic!("stopped, runs, outcome: {other:?}"),
            }
        });
}

/// Two registrations at once, on one node, and its parent's cancel.
#[test]
fn two_registrations_both_run() {
    Model::of(2_000).large().explore(|_| {
        let runs = Runs::default();
        let (parent, handle) = cancellable(&Context::background());
        let child = parent.with_cancel().disarm();
        let canceller = spawn(move || handle.cancel_with("A"));
        let (ctx, callback) = (child.clone(), runs.callback());
        let other = spawn(move || ctx.on_cancel(callback).disarm());
        child.on_cancel(runs.callback()).disarm();
        assert!(canceller.join().unwrap());
        other.join().unwrap();
        assert_eq!(runs.all(), "AA");
    });
}

/// One of two registrations is stopped: the other is not forgotten.
#[test]
fn stop_leaves_the_others() {
    Model::of(1)
        .small()
        .sees(&["ran", "stopped"])
        .explore(|seen| {
            let (runs, others) = (Runs::default(), Runs::default());
            let (parent, handle) = cancellable(&Context::background());
            let child = parent.with_cancel().disarm();
            let registration = child.on_cancel(runs.callback());
            child.on_cancel(others.callback()).disarm();
            let canceller = spawn(move || handle.cancel_with("A"));
            let stopped = registration.stop();
            assert!(canceller.join().unwrap());
            assert_eq!(runs.all(), if stopped { "" } else { "A" });
            assert_eq!(others.all(), "A");
            seen.mark(if stopped { "stopped" } else { "ran" });
        });
}

/// The last registration is stopped while a new one comes: it has a watch of its own.
#[test]
fn registration_after_stop_is_watched() {
    Model::of(400).explore(|_| {
        let (runs, later) = (Runs::default(), Runs::default());
        let (parent, handle) = cancellable(&Context::background());
        let child = parent.with_cancel().disarm();
        let registration = child.on_cancel(runs.callback());
        let canceller = spawn(move || handle.cancel_with("A"));
        drop(registration);
        child.on_cancel(later.callback()).disarm();
        assert!(canceller.join().unwrap());
        assert_eq!(later.all(), "A");
    });
}

/// A reader resolves the outcome while a callback waits: the callback still runs, once.
#[test]
fn reader_leaves_callbacks_to_the_relay() {
    Model::of(500).sees(&["live", "ended"]).explore(|seen| {
        let runs = Runs::default();
        let (parent, handle) = cancellable(&Context::background());
        let child = parent.with_cancel().disarm();
        child.on_cancel(runs.callback()).disarm();
        let canceller = spawn(move || handle.cancel_with("A"));
        seen.mark(if err(&child).is_some() {
            "ended"
        } else {
            "live"
        });
        assert!(canceller.join().unwrap());
        assert_eq!(runs.all(), "A");
    });
}

/// Callbacks that cancel: each other's context, their own, and one that nobody else ends.
#[test]
fn callbacks_may_cancel() {
    Model::of(800).explore(|_| {
        let (one, by_one) = cancellable(&Context::background());
        let (two, by_two) = cancellable(&Context::background());
        let (third, by_third) = cancellable(&two);
        let (to_two, to_self) = (by_two.clone(), by_one.clone());
        one.on_cancel(move |_| {
            assert!(!to_self.cancel_with("C"));
            to_two.cancel_with("B");
        })
        .disarm();
        let to_one = by_one.clone();
        two.on_cancel(move |_| {
            to_one.cancel_with("A");
        })
        .disarm();
        let at_the_end = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&at_the_end);
        third
            .on_cancel(move |_| {
                count.fetch_add(1, Ordering::Relaxed);
                by_third.cancel_with("C");
            })
            .disarm();
        let thread = spawn(move || by_one.cancel_with("A"));
        by_two.cancel_with("B");
        thread.join().unwrap();
        assert_eq!((err(&one), err(&two)), (Some('A'), Some('B')));
        assert_eq!(err(&third), Some('B'));
        assert_eq!(at_the_end.load(Ordering::Relaxed), 1);
    });
}
