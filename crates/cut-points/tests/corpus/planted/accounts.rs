//! Counters, permits, locks and files that are not given back, and invariants left broken.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;

use cut_points::{FaultKind, Report, world};
use tokio::sync::{Mutex, Notify, Semaphore, oneshot};
use tokio::task::yield_now;
use tokio::time::sleep;

use crate::{Planted, ms, planted, secs};

pub(super) fn programs() -> Vec<Planted> {
    use FaultKind::{Check, SecondCall};
    vec![
        planted("counter_that_stays_up", Check, 1, counter_that_stays_up)
            .after("https://github.com/alloy-rs/alloy/pull/3956"),
        planted(
            "gauge_and_slot_that_stay",
            SecondCall,
            1,
            gauge_and_slot_that_stay,
        )
        .after("https://github.com/rivet-dev/actors/issues/5553"),
        planted(
            "entry_of_a_single_flight",
            SecondCall,
            1,
            entry_of_a_single_flight,
        )
        .after("https://github.com/chroma-core/chroma/pull/6433"),
        planted(
            "permit_that_was_forgotten",
            SecondCall,
            1,
            permit_that_was_forgotten,
        ),
        planted(
            "half_a_transfer_under_a_lock",
            Check,
            1,
            half_a_transfer_under_a_lock,
        )
        .after("https://rfd.shared.oxide.computer/rfd/0400"),
        planted(
            "state_that_was_taken_out",
            SecondCall,
            1,
            state_that_was_taken_out,
        )
        .after("https://github.com/oxidecomputer/omicron/issues/9590"),
        planted(
            "head_of_the_queue_that_left",
            SecondCall,
            1,
            head_of_the_queue_that_left,
        )
        .after("https://github.com/embassy-rs/embassy/pull/6964"),
        planted("one_of_two_tables", Check, 1, one_of_two_tables),
        planted("lock_file_that_stays", SecondCall, 1, lock_file_that_stays),
        planted(
            "notification_that_was_taken",
            SecondCall,
            1,
            notification_that_was_taken,
        ),
    ]
}

fn counter_that_stays_up() -> Report {
    world(async || Cell::new(0))
        .check(async |queued: &Cell<u32>| assert_eq!(queued.get(), 0, "still queued"))
        .drop_everywhere(async |queued: &Cell<u32>| {
            queued.set(queued.get() + 1);
            sleep(secs(1)).await; // CUT: the wait before the next try
            queued.set(queued.get() - 1);
        })
}

fn gauge_and_slot_that_stay() -> Report {
    const SLOTS: u32 = 1;
    world(async || Cell::new(0)).drop_everywhere(async |in_flight: &Cell<u32>| {
        if in_flight.get() == SLOTS {
            return Err("too many requests in flight");
        }
        in_flight.set(in_flight.get() + 1);
        sleep(ms(3)).await; // CUT: the handler
        in_flight.set(in_flight.get() - 1);
        Ok(())
    })
}

type Waiters = RefCell<HashMap<&'static str, Vec<oneshot::Sender<u32>>>>;

/// The first caller loads, the others wait for it.
fn entry_of_a_single_flight() -> Report {
    world(async || Waiters::default()).drop_everywhere(async |flights: &Waiters| {
        if let Some(waiters) = flights.borrow_mut().get_mut("key") {
            let (sender, receiver) = oneshot::channel();
            waiters.push(sender);
            return Err(format!("it waits for a load that is gone: {receiver:?}"));
        }
        flights.borrow_mut().insert("key", Vec::new());
        sleep(ms(9)).await; // CUT: the load
        for waiter in flights.borrow_mut().remove("key").expect("it is ours") {
            let _ = waiter.send(7);
        }
        Ok(())
    })
}

fn permit_that_was_forgotten() -> Report {
    world(async || Semaphore::new(1)).drop_everywhere(async |permits: &Semaphore| {
        permits.acquire().await.expect("never closed").forget();
        sleep(ms(1)).await; // CUT
        permits.add_permits(1);
    })
}

fn half_a_transfer_under_a_lock() -> Report {
    type Accounts = Mutex<(i64, i64)>;
    world(async || Mutex::new((100, 0)))
        .check(async |accounts: &Accounts| {
            let accounts = accounts.lock().await;
            assert_eq!(accounts.0 + accounts.1, 100, "money is gone");
        })
        .drop_everywhere(async |accounts: &Accounts| {
            let mut accounts = accounts.lock().await;
            accounts.0 -= 10;
            yield_now().await; // CUT
            accounts.1 += 10;
        })
}

fn state_that_was_taken_out() -> Report {
    world(async || RefCell::new(Some(String::new()))).drop_everywhere(
        async |state: &RefCell<Option<String>>| {
            let mut taken = state.borrow_mut().take().ok_or("the state is gone")?;
            sleep(ms(2)).await; // CUT
            taken.push('.');
            *state.borrow_mut() = Some(taken);
            Ok::<_, &str>(())
        },
    )
}

/// Permits in the order of asking; a waiter that leaves wakes nobody.
struct Fair {
    permits: Cell<u32>,
    queue: RefCell<VecDeque<(u32, Rc<Notify>)>>,
}

impl Fair {
    async fn acquire(&self, wanted: u32) {
        let turn = Rc::new(Notify::new());
        self.queue
            .borrow_mut()
            .push_back((wanted, Rc::clone(&turn)));
        self.serve();
        turn.notified().await; // CUT: it stays in the queue, before all others
    }

    fn serve(&self) {
        let mut queue = self.queue.borrow_mut();
        while let Some((wanted, _)) = queue.front() {
            if *wanted > self.permits.get() {
                break;
            }
            self.permits.set(self.permits.get() - wanted);
            if let Some((_, turn)) = queue.pop_front() {
                turn.notify_one();
            }
        }
    }

    fn release(&self, permits: u32) {
        self.permits.set(self.permits.get() + permits);
        self.serve();
    }
}

fn head_of_the_queue_that_left() -> Report {
    world(async || Fair {
        permits: Cell::new(1),
        queue: RefCell::default(),
    })
    .drop_everywhere(async |fair: &Fair| {
        let all = async {
            fair.acquire(2).await;
            fair.release(2);
        };
        let one = async {
            sleep(secs(1)).await;
            fair.release(1);
        };
        if fair.queue.borrow().is_empty() && fair.permits.get() == 1 {
            tokio::join!(biased; all, one);
            fair.permits.set(1);
            Ok(())
        } else {
            let waits = fair.queue.borrow().len();
            Err(format!(
                "{waits} wait before us with {} permits",
                fair.permits.get()
            ))
        }
    })
}

fn one_of_two_tables() -> Report {
    type Tables = (RefCell<Vec<u32>>, RefCell<Vec<u32>>);
    world(async || Tables::default())
        .check(async |tables: &Tables| {
            assert_eq!(
                tables.0.borrow().len(),
                tables.1.borrow().len(),
                "an order without lines"
            );
        })
        .drop_everywhere(async |(orders, lines): &Tables| {
            sleep(ms(1)).await;
            orders.borrow_mut().push(1);
            sleep(ms(1)).await; // CUT
            lines.borrow_mut().push(1);
            sleep(ms(1)).await;
        })
}

fn lock_file_that_stays() -> Report {
    let folder = async || tempfile::tempdir().expect("a folder");
    world(folder).drop_everywhere(async |folder: &tempfile::TempDir| {
        let lock = folder.path().join("lock");
        let mut options = std::fs::OpenOptions::new();
        let file = options.write(true).create_new(true).open(&lock);
        file.map_err(|error| format!("locked: {error}"))?;
        sleep(secs(1)).await; // CUT: the work
        std::fs::remove_file(&lock).map_err(|error| error.to_string())
    })
}

fn notification_that_was_taken() -> Report {
    struct Jobs {
        waiting: Cell<u32>,
        wake: Notify,
    }
    world(async || {
        let jobs = Jobs {
            waiting: Cell::new(1),
            wake: Notify::new(),
        };
        jobs.wake.notify_one();
        jobs
    })
    .limit(secs(60))
    .drop_everywhere(async |jobs: &Jobs| {
        if jobs.waiting.get() == 0 {
            return; // the second call after a whole one
        }
        jobs.wake.notified().await;
        sleep(ms(1)).await; // CUT: woken, and the job is still there; nobody is woken again
        jobs.waiting.set(0);
    })
}
