//! Races, a bounded number of rounds each: whatever the order, every reader tells one story.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::Duration;

use tokio_ctx_core::{CancelGuard, CancellationToken, Context, Reason};

use crate::support::{Count, OnDrop, PATIENCE, cause_of, poll, poll_with, reason_of};

type Job = Box<dyn FnOnce() + Send>;

/// Runs `round` many times; the closures it gives start together, each on a thread.
fn race<const N: usize>(rounds: usize, round: impl Fn(usize) -> [Job; N]) {
    race_then(rounds, |index| (round(index), || ()));
}

/// The same, with something to check on this thread when the others are through.
fn race_then<const N: usize, C: FnOnce()>(rounds: usize, round: impl Fn(usize) -> ([Job; N], C)) {
    let start = Arc::new(Barrier::new(N));
    let mut senders = Vec::new();
    let (done, wait) = std::sync::mpsc::channel();
    for _ in 0..N {
        let (sender, receiver) = std::sync::mpsc::channel::<Job>();
        let (start, done) = (Arc::clone(&start), done.clone());
        thread::spawn(move || {
            for job in receiver {
                start.wait();
                job();
                done.send(()).expect("the test goes on");
            }
        });
        senders.push(sender);
    }
    for index in 0..rounds {
        let (jobs, check) = round(index);
        for (job, sender) in jobs.into_iter().zip(&senders) {
            sender.send(job).expect("the thread goes on");
        }
        for _ in 0..N {
            wait.recv_timeout(PATIENCE)
                .expect("no thread panicked or hung");
        }
        check();
    }
}

/// Asks until there is an answer, and lets others run meanwhile.
fn ask_until<T>(mut ask: impl FnMut() -> Option<T>) -> T {
    loop {
        for _ in 0..64 {
            if let Some(answer) = ask() {
                return answer;
            }
        }
        thread::yield_now();
    }
}

fn spin(turns: usize) {
    for _ in 0..turns {
        std::hint::spin_loop();
    }
}

#[test]
fn of_two_cancels_exactly_one_wins_and_its_cause_is_seen_by_all() {
    race_then(4000, |round| {
        let ctx = Arc::new(Context::background().with_cancel());
        let winners = Arc::new(Mutex::new(Vec::new()));
        let cancel = |who: &'static str, turns: usize| -> Job {
            let (ctx, winners) = (Arc::clone(&ctx), Arc::clone(&winners));
            Box::new(move || {
                spin(turns);
                if ctx.cancel_with(who) {
                    assert_eq!(cause_of(&ctx).as_deref(), Some(who));
                    winners.lock().expect("no panic").push(who);
                }
                assert!(ctx.is_done());
            })
        };
        let jobs = [cancel("one", round % 50), cancel("two", (round * 7) % 50)];
        (jobs, move || {
            let winners = winners.lock().expect("no panic");
            assert_eq!(winners.len(), 1, "{winners:?}");
            assert_eq!(cause_of(&ctx).as_deref(), Some(winners[0]));
        })
    });
}

#[test]
fn no_reader_ever_sees_parent_child_and_grandchild_disagree() {
    race(3000, |round| {
        let parent = Arc::new(Context::background().with_cancel());
        let child = Arc::new(parent.with_cancel());
        let leaf = child.with_cancel().disarm();
        let cancel = |guard: &Arc<CancelGuard>, cause: &'static str, turns: usize| {
            let guard = Arc::clone(guard);
            Box::new(move || {
                spin(turns);
                guard.cancel_with(cause);
            }) as Job
        };
        let read = |turns: usize| {
            let (parent, child, leaf) = (Arc::clone(&parent), Arc::clone(&child), leaf.clone());
            Box::new(move || {
                spin(turns);
                let first = ask_until(|| leaf.err()).to_string();
                assert!(child.is_done());
                assert_eq!(child.err().expect("above the leaf").to_string(), first);
                assert_eq!(leaf.err().expect("ended").to_string(), first);
                if first.contains("cancelled: A") {
                    assert_eq!(parent.err().expect("A is the parent's").to_string(), first);
                }
            }) as Job
        };
        [
            cancel(&parent, "A", round % 40),
            cancel(&child, "B", (round * 3) % 40),
            read(round % 7),
            read(0),
        ]
    });
}

#[test]
fn once_one_way_to_ask_says_ended_all_do() {
    race(3000, |round| {
        let parent = Arc::new(Context::background().with_cancel());
        let leaf = parent.with_cancel().disarm();
        let end: Job = Box::new({
            let parent = Arc::clone(&parent);
            move || {
                spin(round % 60);
                parent.cancel_with("over");
            }
        });
        let ask = |order: usize| -> Job {
            let (leaf, parent) = (leaf.clone(), Context::clone(&parent));
            Box::new(move || {
                let mut done = Box::pin(leaf.done_owned());
                ask_until(|| {
                    let seen = match order {
                        0 => leaf.is_done(),
                        1 => leaf.err().is_some(),
                        2 => poll(done.as_mut()).is_ready(),
                        _ => parent.is_done(),
                    };
                    seen.then_some(())
                });
                assert!(leaf.is_done() && leaf.check().is_err());
                assert_eq!(cause_of(&leaf).as_deref(), Some("over"));
                assert!(poll(done.as_mut()).is_ready());
                assert!(parent.is_done());
            })
        };
        [end, ask(round % 4), ask((round + 1) % 4)]
    });
}

#[test]
fn a_child_is_never_live_when_its_parent_has_ended() {
    race(3000, |round| {
        let parent = Arc::new(Context::background().with_cancel());
        let leaf = parent.with_cancel().disarm().with_cancel().disarm();
        let above = Context::clone(&parent);
        [
            Box::new(move || {
                spin(round % 60);
                parent.cancel();
            }),
            Box::new(move || {
                ask_until(|| above.is_done().then_some(()));
                assert!(leaf.is_done());
                assert_eq!(reason_of(&leaf), Reason::Cancelled);
            }),
        ]
    });
}

#[test]
fn a_first_wait_that_races_a_cancel_is_woken_or_told() {
    race(6000, |round| {
        let parent = Arc::new(Context::background().with_cancel());
        let leaf = parent.with_cancel().disarm();
        let (sender, receiver) = std::sync::mpsc::channel::<()>();
        [
            Box::new(move || {
                spin((round * 5) % 90);
                parent.cancel();
            }),
            Box::new(move || {
                spin(round % 30);
                let waker = crate::support::waker(move || {
                    let _ = sender.send(());
                });
                let mut done = Box::pin(leaf.done());
                if poll_with(done.as_mut(), &waker).is_pending() {
                    receiver
                        .recv_timeout(PATIENCE)
                        .expect("a waiter cannot miss the cancel");
                    assert!(poll(done.as_mut()).is_ready());
                }
            }),
        ]
    });
}

#[test]
fn a_callback_runs_or_is_stopped_and_never_both() {
    let (both, neither) = (Count::default(), Count::default());
    race(4000, |round| {
        let parent = Arc::new(Context::background().with_cancel());
        let leaf = parent.with_cancel().disarm();
        let ran = Count::default();
        let counted = ran.clone();
        let registration = leaf.on_cancel(move |_| counted.add());
        let (both, neither) = (both.clone(), neither.clone());
        let cancelled = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&cancelled);
        let seen = ran.clone();
        [
            Box::new(move || {
                spin(round % 50);
                parent.cancel();
                flag.store(true, Ordering::SeqCst);
            }),
            Box::new(move || {
                spin((round * 3) % 70);
                let prevented = registration.stop();
                ask_until(|| cancelled.load(Ordering::SeqCst).then_some(()));
                match (prevented, seen.get()) {
                    (true, 0) | (false, 1) => {}
                    (true, _) => both.add(),
                    (false, _) => neither.add(),
                }
            }),
        ]
    });
    assert_eq!((both.get(), neither.get()), (0, 0));
}

#[test]
fn a_callback_registered_while_the_context_ends_runs_exactly_once() {
    let wrong = Count::default();
    race(4000, |round| {
        let parent = Arc::new(Context::background().with_cancel());
        let leaf = parent.with_cancel().disarm();
        let ended = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&ended);
        let wrong = wrong.clone();
        [
            Box::new(move || {
                spin((round * 3) % 90);
                parent.cancel();
                flag.store(true, Ordering::SeqCst);
            }),
            Box::new(move || {
                spin(round % 30);
                let ran = Count::default();
                let counted = ran.clone();
                let registration = leaf.on_cancel(move |_| counted.add());
                ask_until(|| ended.load(Ordering::SeqCst).then_some(()));
                if ran.get() != 1 || registration.stop() {
                    wrong.add();
                }
            }),
        ]
    });
    assert_eq!(wrong.get(), 0);
}

#[test]
fn a_callback_runs_once_when_readers_and_a_deadline_race_for_the_end() {
    let wrong = Count::default();
    race(300, |round| {
        let ctx = Context::background().with_timeout(Duration::from_micros(200 + round as u64));
        let (sender, receiver) = std::sync::mpsc::channel();
        ctx.on_cancel(move |why| sender.send(why.reason()).expect("received"))
            .disarm();
        let ask = || -> Job {
            let ctx = ctx.with_cancel().disarm();
            Box::new(move || ask_until(|| ctx.is_done().then_some(())))
        };
        let wrong = wrong.clone();
        let own = ctx.clone();
        let count: Job = Box::new(move || {
            let first = receiver.recv_timeout(PATIENCE);
            // The sender goes with the callback, so a second run would have to be here by now.
            if first != Ok(Reason::Deadline) || receiver.recv_timeout(PATIENCE).is_ok() {
                wrong.add();
            }
            drop(own);
        });
        [ask(), ask(), count]
    });
    assert_eq!(wrong.get(), 0);
}

#[test]
fn dropping_the_last_handle_races_a_cancel_from_above_without_a_loss() {
    let dropped = Count::default();
    race(4000, |round| {
        let parent = Arc::new(Context::background().with_cancel());
        let leaf = parent.with_cancel().disarm();
        let (ran, held): (Count, OnDrop) = (Count::default(), dropped.on_drop());
        let counted = ran.clone();
        leaf.on_cancel(move |_| {
            drop(held);
            counted.add();
        })
        .disarm();
        [
            Box::new(move || {
                spin(round % 40);
                parent.cancel();
            }),
            Box::new(move || {
                spin((round * 3) % 40);
                drop(leaf);
                assert!(ran.get() <= 1);
            }),
        ]
    });
    assert_eq!(
        dropped.get(),
        4000,
        "what a callback holds is dropped, run or not"
    );
}

#[test]
fn both_parents_of_a_merge_end_at_once_and_one_story_is_told() {
    race(3000, |round| {
        let one = Arc::new(Context::background().with_cancel());
        let two = Arc::new(Context::background().with_cancel());
        let leaf = one.merge(&two).with_cancel().disarm();
        let cancel = |guard: &Arc<CancelGuard>, cause: &'static str, turns: usize| {
            let guard = Arc::clone(guard);
            Box::new(move || {
                spin(turns);
                guard.cancel_with(cause);
            }) as Job
        };
        let stories = Arc::new(Mutex::new(Vec::new()));
        let read = || {
            let (leaf, stories) = (leaf.clone(), Arc::clone(&stories));
            Box::new(move || {
                let story = ask_until(|| leaf.is_done().then(|| cause_of(&leaf)));
                let mut stories = stories.lock().expect("no panic");
                stories.push(story);
                assert!(
                    stories.windows(2).all(|pair| pair[0] == pair[1]),
                    "{stories:?}"
                );
            }) as Job
        };
        [
            cancel(&one, "one", round % 40),
            cancel(&two, "two", (round * 3) % 40),
            read(),
            read(),
        ]
    });
}

#[test]
fn a_waiter_on_a_merge_is_woken_whichever_parent_ends() {
    race(2000, |round| {
        let one = Arc::new(Context::background().with_cancel());
        let two = Arc::new(Context::background().with_cancel());
        let leaf = one.merge(&two);
        let end = if round % 2 == 0 {
            Arc::clone(&one)
        } else {
            Arc::clone(&two)
        };
        let keep = (one, two);
        [
            Box::new(move || {
                spin((round * 5) % 90);
                end.cancel();
            }),
            Box::new(move || {
                let _keep = keep;
                let reason = futures_executor::block_on(leaf.done()).reason();
                assert_eq!(reason, Reason::Cancelled);
            }),
        ]
    });
}

#[test]
fn a_foreign_token_races_a_cancel_and_one_story_is_told() {
    race(3000, |round| {
        let token = CancellationToken::new();
        let child = Arc::new(Context::from_token(&token).with_cancel());
        let reader = Context::clone(&child);
        [
            Box::new(move || {
                spin(round % 40);
                token.cancel();
            }) as Job,
            Box::new(move || {
                spin((round * 3) % 40);
                child.cancel_with("ours");
                let first = reason_of(&child);
                assert!(matches!(first, Reason::Cancelled | Reason::Token));
                assert_eq!(reason_of(&child), first);
            }),
            Box::new(move || {
                let first = ask_until(|| reader.err()).reason();
                assert_eq!(futures_executor::block_on(reader.done()).reason(), first);
                assert_eq!(reason_of(&reader), first);
            }),
        ]
    });
}

#[test]
fn values_are_read_and_dropped_by_many_threads() {
    use tokio_ctx_core::key;
    key! { Item: Arc<usize> }
    let item = Arc::new(7);
    race(500, |_| {
        let mut ctx = Context::background();
        for _ in 0..40 {
            ctx = ctx.with_value::<Item>(Arc::clone(&item));
        }
        let read = || {
            let ctx = ctx.clone();
            Box::new(move || assert_eq!(ctx.value::<Item>().map(|item| **item), Some(7))) as Job
        };
        [read(), read(), read()]
    });
    assert_eq!(Arc::strong_count(&item), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_tasks_that_wait_are_all_woken_by_one_cancel() {
    let root = Context::background().with_cancel();
    let tasks: Vec<_> = (0..2000)
        .map(|index| {
            let mut ctx = Context::clone(&root);
            for _ in 0..index % 5 {
                ctx = ctx.with_cancel().disarm();
            }
            tokio::spawn(async move { ctx.done().await.to_string() })
        })
        .collect();
    tokio::task::yield_now().await;
    root.cancel_with("everybody out");
    for task in tasks {
        assert!(
            task.await
                .expect("no panic")
                .starts_with("cancelled: everybody out")
        );
    }
}
