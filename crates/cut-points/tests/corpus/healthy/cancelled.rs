//! Functions that are told to stop, and stop well.

use std::cell::{Cell, RefCell};

use cut_points::{Report, world};
use tokio::sync::mpsc;
use tokio::time::{interval, sleep};
use tokio_ctx::Context;
use tokio_util::sync::CancellationToken;

use crate::{Healthy, ms, secs};

pub(super) fn programs() -> Vec<Healthy> {
    vec![
        Healthy {
            name: "drained_at_shutdown",
            run: drained_at_shutdown,
        },
        Healthy {
            name: "clean_up_out_of_reach",
            run: clean_up_out_of_reach,
        },
        Healthy {
            name: "retry_that_looks",
            run: retry_that_looks,
        },
        Healthy {
            name: "short_work_between_two_looks",
            run: short_work_between_two_looks,
        },
        Healthy {
            name: "long_work_within_the_grace",
            run: long_work_within_the_grace,
        },
    ]
}

fn drained_at_shutdown() -> Report {
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
                tokio::select! {
                    biased;
                    () = token.cancelled() => {} // no more waiting, but all of the queue
                    _ = tick.tick() => {}
                }
                let Some(letter) = queue.recv().await else {
                    return;
                };
                mail.delivered.borrow_mut().push(letter);
            }
        })
}

fn clean_up_out_of_reach() -> Report {
    world(async || Cell::new(false))
        .check(async |locked: &Cell<bool>| assert!(!locked.get(), "still locked"))
        .cancel_everywhere(async |locked: &Cell<bool>, ctx: &Context| {
            locked.set(true);
            let worked = ctx.run(sleep(ms(3))).await;
            let shield = ctx.without_cancel().with_timeout(ms(100));
            let unlocked = shield.run(sleep(ms(1))).await;
            locked.set(false);
            worked.and(unlocked)
        })
}

fn retry_that_looks() -> Report {
    world(async || ()).cancel_everywhere(async |(): &(), ctx: &Context| {
        let mut pause = ms(1);
        for attempt in 0..5 {
            let answer = ctx.run(async {
                sleep(ms(1)).await;
                if attempt < 3 { Err("busy") } else { Ok(()) }
            });
            if answer.await?.is_ok() {
                break;
            }
            ctx.run(sleep(pause)).await?;
            pause *= 2;
        }
        Ok::<_, tokio_ctx::Cancelled>(())
    })
}

fn short_work_between_two_looks() -> Report {
    world(async || ()).cancel_everywhere(async |(): &(), ctx: &Context| {
        for _ in 0..10 {
            ctx.check()?;
            sleep(ms(50)).await;
        }
        ctx.check()
    })
}

fn long_work_within_the_grace() -> Report {
    world(async || ()).ends_within(secs(6)).cancel_everywhere(
        async |(): &(), token: &CancellationToken| {
            for _ in 0..4 {
                if token.is_cancelled() {
                    break;
                }
                sleep(secs(5)).await;
            }
        },
    )
}
