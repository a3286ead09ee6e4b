//! What is borrowed goes back, and what must hold together changes together.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use cut_points::{Report, world};
use tokio::sync::{Mutex, OnceCell, Semaphore};
use tokio::time::sleep;

use crate::{Healthy, ms, secs};

pub(super) fn programs() -> Vec<Healthy> {
    vec![
        Healthy {
            name: "counter_with_a_guard",
            run: counter_with_a_guard,
        },
        Healthy {
            name: "single_flight_with_a_guard",
            run: single_flight_with_a_guard,
        },
        Healthy {
            name: "permit_that_is_owned",
            run: permit_that_is_owned,
        },
        Healthy {
            name: "transfer_in_one_poll",
            run: transfer_in_one_poll,
        },
        Healthy {
            name: "tables_swapped_at_the_end",
            run: tables_swapped_at_the_end,
        },
        Healthy {
            name: "lock_file_with_a_guard",
            run: lock_file_with_a_guard,
        },
        Healthy {
            name: "cell_initialised_by_the_next",
            run: cell_initialised_by_the_next,
        },
        Healthy {
            name: "hit_rate_that_counts_attempts",
            run: hit_rate_that_counts_attempts,
        },
    ]
}

struct Up<'a>(&'a Cell<u32>);

impl<'a> Up<'a> {
    fn count(counter: &'a Cell<u32>) -> Up<'a> {
        counter.set(counter.get() + 1);
        Up(counter)
    }
}

impl Drop for Up<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

fn counter_with_a_guard() -> Report {
    world(async || Cell::new(0))
        .check(async |queued: &Cell<u32>| assert_eq!(queued.get(), 0, "still queued"))
        .drop_everywhere(async |queued: &Cell<u32>| {
            let _queued = Up::count(queued);
            sleep(secs(1)).await;
        })
}

type Flights = RefCell<HashMap<&'static str, Rc<OnceCell<u32>>>>;

/// The entry is only a place to meet: who finds the load given up loads itself.
fn single_flight_with_a_guard() -> Report {
    world(async || Flights::default()).drop_everywhere(async |flights: &Flights| {
        let flight = Rc::clone(flights.borrow_mut().entry("key").or_default());
        let loaded = flight.get_or_init(async || {
            sleep(ms(9)).await;
            7
        });
        if *loaded.await == 7 {
            Ok(())
        } else {
            Err("another value")
        }
    })
}

fn permit_that_is_owned() -> Report {
    world(async || Arc::new(Semaphore::new(1)))
        .check(async |permits: &Arc<Semaphore>| assert_eq!(permits.available_permits(), 1))
        .drop_everywhere(async |permits: &Arc<Semaphore>| {
            let permit = Arc::clone(permits).acquire_owned().await;
            let task = tokio::spawn(async move {
                let _permit = permit.expect("never closed");
                tokio::task::yield_now().await;
            });
            task.await.map_err(|error| error.to_string())
        })
}

fn transfer_in_one_poll() -> Report {
    type Accounts = Mutex<(i64, i64)>;
    world(async || Mutex::new((100, 0)))
        .check(async |accounts: &Accounts| {
            let accounts = accounts.lock().await;
            assert_eq!(accounts.0 + accounts.1, 100, "money is gone");
        })
        .drop_everywhere(async |accounts: &Accounts| {
            let mut accounts = accounts.lock().await;
            sleep(ms(1)).await; // may it be done?
            accounts.0 -= 10;
            accounts.1 += 10;
            sleep(ms(1)).await; // tell others
        })
}

fn tables_swapped_at_the_end() -> Report {
    type Tables = RefCell<(Vec<u32>, Vec<u32>)>;
    world(async || Tables::default())
        .check(async |tables: &Tables| {
            let tables = tables.borrow();
            assert_eq!(tables.0.len(), tables.1.len(), "an order without lines");
        })
        .drop_everywhere(async |tables: &Tables| {
            let (mut orders, mut lines) = tables.borrow().clone();
            orders.push(1);
            sleep(ms(1)).await;
            lines.push(1);
            sleep(ms(1)).await;
            *tables.borrow_mut() = (orders, lines);
            sleep(ms(1)).await;
        })
}

fn lock_file_with_a_guard() -> Report {
    struct Lock(std::path::PathBuf);
    impl Drop for Lock {
        fn drop(&mut self) {
            std::fs::remove_file(&self.0).expect("it is ours");
        }
    }
    world(async || tempfile::tempdir().expect("a folder")).drop_everywhere(
        async |folder: &tempfile::TempDir| {
            let path = folder.path().join("lock");
            let mut options = std::fs::OpenOptions::new();
            let file = options.write(true).create_new(true).open(&path);
            file.map_err(|error| format!("locked: {error}"))?;
            let _lock = Lock(path);
            sleep(secs(1)).await;
            Ok::<_, String>(())
        },
    )
}

fn cell_initialised_by_the_next() -> Report {
    world(async || OnceCell::new()).drop_everywhere(async |cell: &OnceCell<u32>| {
        let value = cell.get_or_try_init(async || {
            sleep(ms(3)).await;
            Ok::<_, String>(7)
        });
        value.await.map(drop)
    })
}

/// A counter that goes up and never down, on purpose.
fn hit_rate_that_counts_attempts() -> Report {
    world(async || (Cell::new(0), Cell::new(0)))
        .check(async |(begun, done): &(Cell<u32>, Cell<u32>)| assert!(begun.get() >= done.get()))
        .drop_everywhere(async |(begun, done): &(Cell<u32>, Cell<u32>)| {
            begun.set(begun.get() + 1);
            sleep(ms(1)).await;
            done.set(done.get() + 1);
        })
}
