//! Deadlines and callbacks: time passes when a thread of the model says so.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use loom::thread;
use loom_user::turnstile::Turnstile;
use tokio_ctx::{Context, model};

/// Both ends of the race between the deadline and the answer were seen.
#[test]
fn answer_against_deadline() {
    let seen = Arc::new([AtomicBool::new(false), AtomicBool::new(false)]);
    let mark = Arc::clone(&seen);
    loom::model(move || {
        let ctx = Context::background().with_timeout(Duration::from_secs(5));
        let turnstile = Arc::new(Turnstile::default());
        let opener = thread::spawn({
            let turnstile = Arc::clone(&turnstile);
            move || turnstile.open()
        });
        let clock = thread::spawn(|| model::advance(Duration::from_secs(5)));
        match model::block_on(turnstile.pass(&ctx)) {
            Ok(()) => mark[0].store(true, Ordering::Relaxed),
            Err(cancelled) => {
                assert!(cancelled.is_timeout());
                mark[1].store(true, Ordering::Relaxed);
            }
        }
        opener.join().unwrap();
        clock.join().unwrap();
        assert!(ctx.is_done(), "time has passed");
    });
    assert!(seen.iter().all(|mark| mark.load(Ordering::Relaxed)));
}

/// A query is interrupted once, or it is over and nobody interrupts it.
#[test]
fn interrupt_at_most_once() {
    loom::model(|| {
        let ctx = Context::background().with_timeout(Duration::from_secs(5));
        let interrupts = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&interrupts);
        let registration = ctx.on_cancel(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
        });
        let clock = thread::spawn(|| model::advance(Duration::from_secs(5)));
        let is_over_in_time = registration.stop();
        clock.join().unwrap();
        assert_eq!(
            interrupts.load(Ordering::Relaxed),
            usize::from(!is_over_in_time)
        );
    });
}
