//! Merges: the end of either side is the end of both.

use tokio_ctx_core::Context;

use super::harness::{Model, cancellable, err, spawn, wait};
use super::on_cancel::Runs;

/// The first parent's guard goes while somebody waits.
#[test]
fn first_side_wakes_a_merge() {
    Model::of(100).explore(|_| {
        let one = Context::background().with_cancel();
        let two = Context::background().with_cancel().disarm();
        let merged = one.merge(&two);
        let thread = spawn(move || drop(one));
        assert_eq!(wait(&merged), 'g');
        assert_eq!(err(&two), None);
        thread.join().unwrap();
    });
}

/// The second parent's guard goes: only the merge's own watch can tell.
#[test]
fn second_side_wakes_a_merge() {
    Model::of(4_000).explore(|_| {
        let one = Context::background().with_cancel().disarm();
        let two = Context::background().with_cancel();
        let merged = one.merge(&two).with_cancel().disarm();
        let thread = spawn(move || drop(two));
        assert_eq!(wait(&merged), 'g');
        assert_eq!(err(&one), None);
        thread.join().unwrap();
    });
}

/// Both sides end: whichever is reported first is reported for ever, to waiters too.
#[test]
fn both_sides_end() {
    Model::of(20_000).large().sees(&["A", "B"]).explore(|seen| {
        let (one, by_one) = cancellable(&Context::background());
        let (two, by_two) = cancellable(&Context::background());
        let merged = one.merge(&two);
        let first = spawn(move || by_one.cancel_with("A"));
        let second = spawn(move || by_two.cancel_with("B"));
        let woken_with = wait(&merged);
        assert!(first.join().unwrap() && second.join().unwrap());
        assert_eq!(err(&merged), Some(woken_with));
        seen.mark(if woken_with == 'A' { "A" } else { "B" });
    });
}

/// Two readers of a merge whose sides both end are told the same.
#[test]
fn readers_of_a_merge_agree() {
    Model::of(10_000).large().sees(&["A", "B"]).explore(|seen| {
        let (one, by_one) = cancellable(&Context::background());
        let (two, by_two) = cancellable(&Context::background());
        let merged = one.merge(&two);
        let second = spawn(move || by_two.cancel_with("B"));
        let other = merged.clone();
        let reader = spawn(move || err(&other));
        assert!(by_one.cancel_with("A"));
        let here = err(&merged);
        let there = reader.join().unwrap();
        assert!(second.join().unwrap());
        assert!(here.is_some(), "a side ended before");
        assert!(there.is_none() || there == here);
        assert_eq!(err(&merged), here);
        seen.mark(if here == Some('A') { "A" } else { "B" });
    });
}

/// A callback on a merge, and the end of its second side.
#[test]
fn second_side_runs_callbacks() {
    Model::of(3)
        .small()
        .sees(&["ran", "stopped"])
        .explore(|seen| {
            let runs = Runs::default();
            let one = Context::background().with_cancel().disarm();
            let (two, handle) = cancellable(&Context::background());
            // Kept: what the last handle decides, loom does not explore.
            let merged = one.merge(&two);
            let registration = merged.on_cancel(runs.callback());
            let thread = spawn(move || handle.cancel_with("B"));
            let stopped = registration.stop();
            assert!(thread.join().unwrap());
            assert_eq!(runs.all(), if stopped { "" } else { "B" });
            seen.mark(if stopped { "stopped" } else { "ran" });
        });
}

/// The merge goes while its sides end, whoever holds it last.
#[test]
fn merge_is_dropped_during_the_end() {
    Model::of(2_000)
        .large()
        .sees(&["live", "ended"])
        .explore(|seen| {
            let (one, by_one) = cancellable(&Context::background());
            let (two, by_two) = cancellable(&Context::background());
            let merged = one.merge(&two);
            merged.on_cancel(|_| {}).disarm();
            drop((one, two));
            let first = spawn(move || by_one.cancel_with("A"));
            let second = spawn(move || by_two.cancel_with("B"));
            seen.mark(if merged.is_done() { "ended" } else { "live" });
            drop(merged);
            assert!(first.join().unwrap() && second.join().unwrap());
        });
}
