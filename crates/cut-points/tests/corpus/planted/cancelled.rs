//! Functions that are told to stop, and do not, or not well.

use std::cell::{Cell, RefCell};

use cut_points::{FaultKind, Report, world};
use tokio::sync::mpsc;
use tokio::task::yield_now;
use tokio::time::{interval, sleep};
use tokio_ctx::Context;
use tokio_util::sync::CancellationToken;

use crate::{Planted, ms, planted, secs};

pub(super) fn programs() -> Vec<Planted> {
    use FaultKind::{Check, Deaf, Hangs, StillRuns};
    vec![
        planted(
            "token_that_nobody_looks_at",
            Deaf,
            1,
            token_that_nobody_looks_at,
        )
        .after("https://github.com/modelcontextprotocol/rust-sdk/issues/857"),
        planted("deaf_between_two_looks", Deaf, 2, deaf_between_two_looks),
        planted("retry_of_a_cancellation", Hangs, 1, retry_of_a_cancellation),
        planted(
            "clean_up_that_is_cancelled_too",
            Check,
            2,
            clean_up_that_is_cancelled_too,
        ),
        planted(
            "queue_dropped_at_shutdown",
            Check,
            2,
            queue_dropped_at_shutdown,
        ),
        planted(
            "child_with_a_life_of_its_own",
            StillRuns,
            1,
            child_with_a_life_of_its_own,
        ),
    ]
}

fn token_that_nobody_looks_at() -> Report {
    world(async || ()).cancel_everywhere(async |(): &(), _: &CancellationToken| {
        sleep(secs(60)).await; // CUT: the tool runs on
    })
}

fn deaf_between_two_looks() -> Report {
    world(async || ()).cancel_everywhere(async |(): &(), ctx: &Context| {
        ctx.check()?;
        sleep(secs(5)).await; // CUT: long work between two looks
        ctx.check()?;
        sleep(secs(5)).await; // CUT
        ctx.check()
    })
}

fn retry_of_a_cancellation() -> Report {
    world(async || ()).cancel_everywhere(async |(): &(), ctx: &Context| {
        while ctx.run(sleep(ms(1))).await.is_err() {
            // CUT
            yield_now().await; // any error is tried again
        }
    })
}

fn clean_up_that_is_cancelled_too() -> Report {
    world(async || Cell::new(false))
        .check(async |locked: &Cell<bool>| assert!(!locked.get(), "still locked"))
        .cancel_everywhere(async |locked: &Cell<bool>, ctx: &Context| {
            locked.set(true);
            let worked = ctx.run(sleep(ms(3))).await; // CUT
            ctx.run(sleep(ms(1))).await?; // CUT: the answer to UNLOCK
            locked.set(false);
            worked
        })
}

fn queue_dropped_at_shutdown() -> Report {
    #[derive(Default)]
    struct Mail {
        accepted: Cell<u32>,
        delivered: RefCell<Vec<u32>>,
    }
    world(async || Mail::default())
        .check(async |mail: &Mail| {
            let delivered = mail.delivered.borrow().len();
            assert_eq!(
                mail.accepted.get() as usize,
                delivered,
                "accepted and not delivered"
            );
        })
        .cancel_everywhere(async |mail: &Mail, token: &CancellationToken| {
            let (sender, mut queue) = mpsc::channel(8);
            for letter in 0..3 {
                sender.try_send(letter).expect("there is room");
                mail.accepted.set(mail.accepted.get() + 1);
            }
            drop(sender);
            let mut tick = interval(ms(2));
            loop {
                tokio::select! { // CUT
                    biased;
                    () = token.cancelled() => return, // the queue goes with it
                    _ = tick.tick() => {}
                }
                let letter = queue.recv().await; // CUT
                let Some(letter) = letter else { return };
                mail.delivered.borrow_mut().push(letter);
            }
        })
}

fn child_with_a_life_of_its_own() -> Report {
    world(async || ()).cancel_everywhere(async |(): &(), ctx: &Context| {
        let own = Context::background(); // not a child of `ctx`
        let child = tokio::spawn(async move { own.run(sleep(secs(60))).await });
        ctx.run(child).await.map(drop) // CUT
    })
}
