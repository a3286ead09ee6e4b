//! Foreign code that runs inside of ours and calls back: nothing deadlocks, nothing is lost.

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use tokio_ctx_core::{CancelGuard, CancelHandle, Context, OnCancel, Reason, key};

use crate::support::{
    Count, HOUR, OnDrop, assert_ended, assert_live, cause_of, on_drop, poll, poll_with, waker,
};

/// An error that runs a closure when it is dropped.
struct Cause(#[expect(dead_code, reason = "kept for its drop")] OnDrop);

fn cause(drop: impl FnOnce() + Send + Sync + 'static) -> Cause {
    Cause(on_drop(drop))
}

impl fmt::Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cause")
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cause")
    }
}

impl std::error::Error for Cause {}

#[test]
fn a_panicking_callback_harms_neither_the_canceller_nor_the_others() {
    let ctx = Context::background().with_cancel();
    let child = ctx.with_cancel().disarm();
    let count = Count::default();
    for index in 0..6 {
        let ran = count.clone();
        let on = if index < 3 { &*ctx } else { &child };
        on.on_cancel(move |_| {
            ran.add();
            assert!(index % 3 != 1, "on purpose");
        })
        .disarm();
    }
    let woken = Count::default();
    let mut done = std::pin::pin!(child.done());
    assert!(poll_with(done.as_mut(), &woken.waker()).is_pending());
    assert!(ctx.cancel_with("stop"));
    assert_eq!((count.get(), woken.get()), (6, 1));
    assert_ended(&child, Reason::Cancelled);
}

#[test]
fn a_panicking_callback_on_an_ended_context_harms_nobody() {
    let ctx = Context::background().with_cancel();
    ctx.cancel();
    let registration = ctx.on_cancel(|_| panic!("on purpose"));
    assert!(!registration.stop());
    assert_ended(&ctx, Reason::Cancelled);
}

#[test]
fn a_panic_whose_payload_panics_when_dropped_harms_nobody() {
    let ctx = Context::background().with_cancel();
    let count = Count::default();
    let ran = count.clone();
    ctx.on_cancel(|_| std::panic::panic_any(on_drop(|| panic!("on purpose, again"))))
        .disarm();
    ctx.on_cancel(move |_| ran.add()).disarm();
    assert!(ctx.cancel());
    assert_eq!(count.get(), 1);
}

#[test]
fn a_callback_may_cancel_and_ask_its_own_context_and_its_relatives() {
    let parent = Context::background().with_cancel();
    let ctx = parent.with_cancel();
    let child = ctx.with_cancel();
    let handles = [parent.handle(), ctx.handle(), child.handle()];
    let relatives = [
        Context::clone(&parent),
        Context::clone(&ctx),
        Context::clone(&child),
    ];
    let results = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&results);
    ctx.on_cancel(move |why| {
        for (handle, relative) in handles.iter().zip(&relatives) {
            let won = handle.cancel_with("from the callback");
            assert_ended(relative, Reason::Cancelled);
            seen.lock().expect("no panic").push(won);
        }
        assert_eq!(why.reason(), Reason::Cancelled);
    })
    .disarm();
    ctx.cancel_with("from outside");
    assert_eq!(*results.lock().expect("no panic"), [true, false, false]);
    assert_eq!(cause_of(&ctx).as_deref(), Some("from outside"));
    assert_eq!(cause_of(&child).as_deref(), Some("from outside"));
    assert_eq!(cause_of(&parent).as_deref(), Some("from the callback"));
}

#[test]
fn a_callback_may_derive_wait_and_register_on_its_own_context() {
    let ctx = Context::background().with_cancel();
    let again = Context::clone(&ctx);
    let count = Count::default();
    let ran = count.clone();
    ctx.on_cancel(move |_| {
        let inner = ran.clone();
        assert!(!again.on_cancel(move |_| inner.add()).stop());
        assert_ended(&again.with_timeout(HOUR).with_cancel(), Reason::Cancelled);
        assert_ended(
            &again.merge(&Context::background().with_cancel()),
            Reason::Cancelled,
        );
        ran.add();
    })
    .disarm();
    ctx.cancel();
    assert_eq!(count.get(), 2);
}

#[test]
fn a_callback_may_drop_its_own_registration() {
    let ctx = Context::background().with_cancel();
    let place: Arc<Mutex<Option<OnCancel>>> = Arc::default();
    let count = Count::default();
    let (ran, own) = (count.clone(), Arc::clone(&place));
    let registration = ctx.on_cancel(move |_| {
        let registration = own
            .lock()
            .expect("no panic")
            .take()
            .expect("stored before the cancel");
        assert!(!registration.stop(), "it runs already");
        ran.add();
    });
    *place.lock().expect("no panic") = Some(registration);
    ctx.cancel();
    assert_eq!(count.get(), 1);
    assert!(place.lock().expect("no panic").is_none());
}

#[test]
fn a_callback_may_drop_the_last_handle_of_its_own_context() {
    let guard = Context::background().with_cancel();
    let handle = guard.handle();
    let place: Arc<Mutex<Option<CancelGuard>>> = Arc::default();
    let own = Arc::clone(&place);
    let count = Count::default();
    let ran = count.clone();
    guard
        .on_cancel(move |_| {
            drop(own.lock().expect("no panic").take());
            ran.add();
        })
        .disarm();
    *place.lock().expect("no panic") = Some(guard);
    assert!(handle.cancel());
    assert_eq!(count.get(), 1);
}

#[test]
fn dropping_a_stopped_callback_may_cancel_its_context() {
    let ctx = Context::background().with_cancel();
    let handle = ctx.handle();
    let held = on_drop(move || {
        handle.cancel_with("from the drop");
    });
    let registration = ctx.on_cancel(move |_| drop(held));
    assert!(registration.stop());
    assert_eq!(cause_of(&ctx).as_deref(), Some("from the drop"));
}

#[test]
fn a_stop_inside_of_another_callback_prevents_or_says_that_it_did_not() {
    let ctx = Context::background().with_cancel();
    let place: Arc<Mutex<Vec<OnCancel>>> = Arc::default();
    let (ran, prevented) = (Count::default(), Count::default());
    let registrations: Vec<_> = (0..2)
        .map(|_| {
            let (others, ran, prevented) = (Arc::clone(&place), ran.clone(), prevented.clone());
            ctx.on_cancel(move |_| {
                ran.add();
                let all = std::mem::take(&mut *others.lock().expect("no panic"));
                for registration in all {
                    if registration.stop() {
                        prevented.add();
                    }
                }
            })
        })
        .collect();
    place.lock().expect("no panic").extend(registrations);
    ctx.cancel();
    assert_eq!(ran.get() + prevented.get(), 2);
}

#[test]
fn a_cause_that_lost_may_derive_and_cancel_while_it_is_dropped() {
    let ctx = Context::background().with_cancel();
    ctx.cancel_with("first");
    let (again, handle) = (Context::clone(&ctx), ctx.handle());
    let count = Count::default();
    let dropped = count.clone();
    let lost = ctx.cancel_with(cause(move || {
        assert_ended(&again.with_cancel().with_timeout(HOUR), Reason::Cancelled);
        assert!(!handle.cancel_with("from the drop"));
        dropped.add();
    }));
    assert!(!lost);
    assert_eq!(count.get(), 1);
}

#[test]
fn a_cause_may_derive_and_cancel_while_its_context_is_dropped() {
    let parent = Context::background().with_cancel();
    let ctx = parent.with_cancel();
    let (above, handle) = (Context::clone(&parent), parent.handle());
    let count = Count::default();
    let dropped = count.clone();
    ctx.cancel_with(cause(move || {
        let derived = above.with_cancel();
        derived.on_cancel(|_| ()).disarm();
        assert!(derived.cancel());
        assert!(handle.cancel_with("from the drop"));
        dropped.add();
    }));
    let leaf = ctx.with_cancel();
    assert_ended(&leaf, Reason::Cancelled);
    drop((ctx, leaf));
    assert_eq!(count.get(), 1);
    assert_eq!(cause_of(&parent).as_deref(), Some("from the drop"));
}

#[tokio::test(start_paused = true)]
async fn the_cause_of_a_deadline_that_never_fired_may_use_contexts_while_it_is_dropped() {
    let parent = Context::background().with_cancel();
    let handle = parent.handle();
    let ctx = parent.with_timeout_cause(
        Duration::from_secs(1),
        cause(move || {
            handle.cancel_with("from the drop");
        }),
    );
    assert_live(&ctx);
    drop(ctx);
    assert_eq!(cause_of(&parent).as_deref(), Some("from the drop"));
}

#[test]
fn a_value_may_cancel_while_it_is_dropped() {
    key! { Held: OnDrop }
    let ctx = Context::background().with_cancel();
    let handle = ctx.handle();
    let valued = ctx.with_value::<Held>(on_drop(move || {
        handle.cancel_with("from the drop");
    }));
    let below = valued.with_value::<Held>(on_drop(|| ()));
    drop(valued);
    assert_live(&ctx);
    drop(below);
    assert_eq!(cause_of(&ctx).as_deref(), Some("from the drop"));
}

#[test]
fn a_waker_may_cancel_ask_and_derive_from_inside_wake() {
    let parent = Context::background().with_cancel();
    let ctx = parent.with_cancel();
    let sibling = parent.with_cancel();
    let (own, above, beside) = (ctx.handle(), parent.handle(), Context::clone(&sibling));
    let count = Count::default();
    let woken = count.clone();
    let waker = waker(move || {
        assert!(!own.cancel());
        if above.cancel_with("from inside wake") {
            woken.add();
        }
        assert_ended(&beside, Reason::Cancelled);
        assert_ended(&beside.with_timeout(HOUR), Reason::Cancelled);
    });
    let ran = Count::default();
    let counted = ran.clone();
    sibling.on_cancel(move |_| counted.add()).disarm();
    let mut done = std::pin::pin!(ctx.done());
    assert!(poll_with(done.as_mut(), &waker).is_pending());
    assert!(ctx.cancel_with("from outside"));
    assert_eq!((count.get(), ran.get()), (1, 1));
    assert!(poll(done).is_ready());
    assert_eq!(cause_of(&ctx).as_deref(), Some("from outside"));
    assert_eq!(cause_of(&sibling).as_deref(), Some("from inside wake"));
}

#[test]
fn a_waker_woken_by_somebody_who_only_asks_may_cancel_with_callbacks() {
    let timed = Context::background().with_timeout(crate::support::SOON);
    let other = Context::background().with_cancel();
    let (handle, ran) = (other.handle(), Count::default());
    let counted = ran.clone();
    other.on_cancel(move |_| counted.add()).disarm();
    let waker = waker(move || {
        handle.cancel_with("from inside wake");
    });
    let mut done = std::pin::pin!(timed.done());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    {
        // Armed at a runtime that nobody drives: only the question below can find the end.
        let _entered = runtime.enter();
        assert!(poll_with(done.as_mut(), &waker).is_pending());
    }
    while !timed.is_done() {
        std::hint::spin_loop();
    }
    // The callback is of whoever cancels, and the waker did.
    assert_eq!(ran.get(), 1);
    assert_eq!(cause_of(&other).as_deref(), Some("from inside wake"));
    assert!(poll(done).is_ready());
}

#[test]
fn a_panicking_waker_reaches_neither_the_canceller_nor_the_callbacks() {
    let ctx = Context::background().with_cancel();
    let mut done = std::pin::pin!(ctx.done());
    let panics = waker(|| panic!("on purpose"));
    assert!(poll_with(done.as_mut(), &panics).is_pending());
    let ran = Count::default();
    let counted = ran.clone();
    ctx.on_cancel(move |_| counted.add()).disarm();
    assert!(ctx.cancel_with("stop"));
    assert_eq!(ran.get(), 1);
    assert_ended(&ctx, Reason::Cancelled);
    assert!(poll(done).is_ready());
}

#[test]
fn dropping_a_waker_may_cancel_its_context() {
    let ctx = Context::background().with_cancel();
    let handle = ctx.handle();
    let held = Mutex::new(Some(on_drop(move || {
        handle.cancel_with("from the drop");
    })));
    let waker = waker(move || {
        let _ = &held;
    });
    {
        let mut done = std::pin::pin!(ctx.done());
        assert!(poll_with(done.as_mut(), &waker).is_pending());
        drop(waker);
        assert_live(&ctx);
    }
    assert_eq!(cause_of(&ctx).as_deref(), Some("from the drop"));
}

#[test]
fn a_thread_local_may_cancel_while_its_thread_ends() {
    struct AtExit(CancelHandle);

    impl Drop for AtExit {
        fn drop(&mut self) {
            self.0.cancel_with("thread over");
        }
    }

    thread_local! {
        static AT_EXIT: OnceLock<AtExit> = const { OnceLock::new() };
    }

    let ctx = Context::background().with_cancel();
    let ran = Count::default();
    let counted = ran.clone();
    ctx.on_cancel(move |_| counted.add()).disarm();
    let handle = ctx.handle();
    let thread = std::thread::spawn(move || {
        AT_EXIT.with(|cell| assert!(cell.set(AtExit(handle)).is_ok()));
    });
    assert!(thread.join().is_ok());
    assert_eq!(cause_of(&ctx).as_deref(), Some("thread over"));
    assert_eq!(ran.get(), 1);
}

#[test]
fn a_guard_dropped_by_a_panic_ends_its_context() {
    let guard = Context::background().with_cancel();
    let ctx = Context::clone(&guard);
    let ran = Count::default();
    let counted = ran.clone();
    ctx.on_cancel(move |_| {
        counted.add();
        panic!("on purpose, while the thread unwinds already");
    })
    .disarm();
    let unwound = std::thread::spawn(move || {
        let _guard = guard;
        panic!("on purpose");
    });
    assert!(unwound.join().is_err());
    assert_ended(&ctx, Reason::GuardDropped);
    assert_eq!(ran.get(), 1);
}
