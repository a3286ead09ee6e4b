//! Tasks that end with their call, or rightly outlive it.

use std::cell::Cell;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use cut_points::{Report, world};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinSet, yield_now};
use tokio::time::sleep;
use tokio_ctx::{Context, scope};

use crate::{Healthy, ms, secs};

pub(super) fn programs() -> Vec<Healthy> {
    vec![
        Healthy {
            name: "set_of_readers",
            run: set_of_readers,
        },
        Healthy {
            name: "shielded_by_a_task",
            run: shielded_by_a_task,
        },
        Healthy {
            name: "actor_whose_caller_left",
            run: actor_whose_caller_left,
        },
        Healthy {
            name: "given_back_by_a_task",
            run: given_back_by_a_task,
        },
        Healthy {
            name: "journal_before_the_crash",
            run: journal_before_the_crash,
        },
        Healthy {
            name: "tasks_of_a_scope",
            run: tasks_of_a_scope,
        },
    ]
}

/// Aborted anywhere, a reader leaves nothing.
fn set_of_readers() -> Report {
    world(async || Arc::new(AtomicU32::new(7))).drop_everywhere(async |table: &Arc<AtomicU32>| {
        let mut set = JoinSet::new();
        for _ in 0..3 {
            let table = Arc::clone(table);
            set.spawn(async move {
                sleep(ms(1)).await;
                table.load(Ordering::SeqCst)
            });
        }
        let sum: u32 = set.join_all().await.into_iter().sum();
        if sum == 21 { Ok(()) } else { Err(sum) }
    })
}

/// The work is done in a task, so that it is done as a whole although the caller is gone.
fn shielded_by_a_task() -> Report {
    type Accounts = Arc<Mutex<(i64, i64)>>;
    world(async || Arc::new(Mutex::new((100, 0))))
        .settle(secs(1))
        .check(async |accounts: &Accounts| {
            let accounts = accounts.lock().expect("not poisoned");
            assert_eq!(accounts.0 + accounts.1, 100, "money is gone");
        })
        .drop_everywhere(async |accounts: &Accounts| {
            let accounts = Arc::clone(accounts);
            let shielded = tokio::spawn(async move {
                accounts.lock().expect("not poisoned").0 -= 10;
                sleep(ms(5)).await;
                accounts.lock().expect("not poisoned").1 += 10;
            });
            shielded.await.map_err(|error| error.to_string())
        })
}

type Requests = mpsc::UnboundedSender<oneshot::Sender<u32>>;

/// An actor does not mind that nobody waits for its answer.
fn actor_whose_caller_left() -> Report {
    world(async || {
        let (sender, mut requests) = mpsc::unbounded_channel::<oneshot::Sender<u32>>();
        tokio::spawn(async move {
            let mut count = 0;
            while let Some(reply) = requests.recv().await {
                sleep(ms(2)).await;
                count += 1;
                let _ = reply.send(count);
            }
        });
        sender
    })
    .drop_everywhere(async |requests: &Requests| {
        let (reply, answer) = oneshot::channel();
        requests.send(reply).map_err(|error| error.to_string())?;
        answer.await.map(drop).map_err(|error| error.to_string())
    })
}

/// As connections go back to their pool, after a word with the server.
fn given_back_by_a_task() -> Report {
    type Free = Arc<Mutex<Vec<u32>>>;
    struct Number(u32, Free);
    impl Drop for Number {
        fn drop(&mut self) {
            let (number, free) = (self.0, Arc::clone(&self.1));
            tokio::spawn(async move {
                yield_now().await;
                free.lock().expect("not poisoned").push(number);
            });
        }
    }
    world(async || Arc::new(Mutex::new(vec![7])))
        .check(async |free: &Free| assert_eq!(free.lock().expect("not poisoned").len(), 1))
        .drop_everywhere(async |free: &Free| {
            let number = free
                .lock()
                .expect("not poisoned")
                .pop()
                .ok_or("no number is free")?;
            let _number = Number(number, Arc::clone(free));
            sleep(ms(1)).await;
            Ok::<_, &str>(())
        })
}

/// Written to the journal first, and played again after the crash.
fn journal_before_the_crash() -> Report {
    struct Disk {
        journal: Cell<u32>,
        table: Cell<u32>,
    }
    world(async || Disk {
        journal: Cell::new(0),
        table: Cell::new(0),
    })
    .check(async |disk: &Disk| assert!(disk.table.get() <= disk.journal.get()))
    .crash_everywhere(async |disk: &Disk| {
        disk.table.set(disk.journal.get()); // recovery
        sleep(ms(1)).await;
        disk.journal.set(disk.journal.get() + 1);
        sleep(ms(1)).await;
        disk.table.set(disk.table.get() + 1);
        sleep(ms(1)).await;
        if disk.table == disk.journal {
            Ok(())
        } else {
            Err("an entry is lost")
        }
    })
}

fn tasks_of_a_scope() -> Report {
    world(async || ()).cancel_everywhere(async |(): &(), ctx: &Context| {
        scope(ctx, async |s| {
            for _ in 0..3 {
                s.spawn(async |ctx: Context| {
                    ctx.run(sleep(ms(2))).await?;
                    yield_now().await;
                    ctx.check()
                });
            }
            Ok::<_, tokio_ctx::Cancelled>(())
        })
        .await
    })
}
