//! The flags of the seam itself: what the checker must be able to show through them.

use std::sync::Arc;

use super::harness::checker::sync::atomic::{AtomicBool, Ordering};
use super::harness::{Model, spawn};

#[path = "../../src/sync/backend.rs"]
mod backend;
#[path = "../../src/sync/flag.rs"]
mod flag;

use flag::AtomicFlag;

/// A thread that loads and then stores: a bare atomic of loom never shows the store here.
#[test]
fn store_after_own_load_is_seen() {
    Model::of(3)
        .small()
        .sees(&["before", "after"])
        .explore(|seen| {
            let flag = Arc::new(AtomicFlag::new(0));
            let other = Arc::clone(&flag);
            let thread = spawn(move || {
                if other.load() == 0 {
                    other.store(2);
                }
            });
            seen.mark(if flag.load() == 0 { "before" } else { "after" });
            thread.join().unwrap();
            assert_eq!(flag.load(), 2);
        });
}

/// What was written before a store, or before a replacement, is there for who loads it.
#[test]
fn stores_publish() {
    Model::of(15)
        .small()
        .sees(&["stored", "replaced", "nothing"])
        .explore(|seen| {
            let data = Arc::new([AtomicBool::new(false), AtomicBool::new(false)]);
            let flags = Arc::new([AtomicFlag::new(0), AtomicFlag::new(0)]);
            let (written, stored) = (Arc::clone(&data), Arc::clone(&flags));
            let thread = spawn(move || {
                written[0].store(true, Ordering::Relaxed);
                stored[0].store(2);
                written[1].store(true, Ordering::Relaxed);
                stored[1].replace(0, 1);
            });
            if flags[1].load() != 0 {
                assert!(data[1].load(Ordering::Relaxed));
                seen.mark("replaced");
            } else if flags[0].load() != 0 {
                assert!(data[0].load(Ordering::Relaxed));
                seen.mark("stored");
            } else {
                seen.mark("nothing");
            }
            thread.join().unwrap();
        });
}

/// A value is replaced by who knows it, and by nobody else.
#[test]
fn only_the_known_value_is_replaced() {
    Model::of(10)
        .small()
        .sees(&["replaced", "not yet"])
        .explore(|seen| {
            let places = Arc::new([AtomicFlag::new(1), AtomicFlag::new(0)]);
            places[1].store(2);
            let other = Arc::clone(&places);
            let thread = spawn(move || {
                other[1].replace(1, 0);
                other[0].replace(1, 0);
            });
            seen.mark(if places[0].load() == 0 {
                "replaced"
            } else {
                "not yet"
            });
            assert_eq!(places[1].load(), 2);
            thread.join().unwrap();
            assert_eq!(places[0].load(), 0);
        });
}
