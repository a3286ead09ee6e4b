//! Locks: async-lock 3.5.0, and tokio 1's Barrier.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use cut_points::world;
use cut_points_found::{finds, holds, ms};
use tokio::time::{sleep, timeout};

/// A lock, and how many have asked for it and got it in a task beside the call.
type Contended<L> = (Arc<L>, Arc<AtomicU32>, Arc<AtomicU32>);

fn nobody_hangs<L>((_, asked, got): &Contended<L>) {
    let (asked, got) = (asked.load(Ordering::SeqCst), got.load(Ordering::SeqCst));
    assert_eq!(asked, got, "who waited behind the call hangs");
}

#[test]
fn async_lock_mutex_wakes_the_next() {
    type World = Contended<async_lock::Mutex<u32>>;
    let report = world(async || World::default())
        .once()
        .tasks_may_outlive()
        .settle(ms(100))
        .check(async |world: &World| {
            nobody_hangs(world);
            assert!(world.0.try_lock().is_some(), "locked");
        })
        .drop_everywhere(async |(mutex, asked, got): &World| {
            let (first, next) = (Arc::clone(mutex), Arc::clone(mutex));
            let (asked, got) = (Arc::clone(asked), Arc::clone(got));
            tokio::spawn(async move {
                let _locked = first.lock().await;
                sleep(ms(3)).await;
            });
            tokio::spawn(async move {
                sleep(ms(2)).await;
                asked.fetch_add(1, Ordering::SeqCst);
                *next.lock().await += 1;
                got.fetch_add(1, Ordering::SeqCst);
            });
            sleep(ms(1)).await;
            *mutex.lock().await += 1;
            sleep(ms(9)).await;
        });
    holds(&report);
}

#[test]
fn async_lock_semaphore_wakes_the_next() {
    type World = Contended<async_lock::Semaphore>;
    let semaphore = || Arc::new(async_lock::Semaphore::new(1));
    let report = world(async move || -> World { (semaphore(), Arc::default(), Arc::default()) })
        .once()
        .tasks_may_outlive()
        .settle(ms(100))
        .check(async |world: &World| {
            nobody_hangs(world);
            assert!(world.0.try_acquire().is_some(), "no permit");
        })
        .drop_everywhere(async |(semaphore, asked, got): &World| {
            let (first, next) = (Arc::clone(semaphore), Arc::clone(semaphore));
            let (asked, got) = (Arc::clone(asked), Arc::clone(got));
            tokio::spawn(async move {
                let _permit = first.acquire().await;
                sleep(ms(3)).await;
            });
            tokio::spawn(async move {
                sleep(ms(2)).await;
                asked.fetch_add(1, Ordering::SeqCst);
                drop(next.acquire().await);
                got.fetch_add(1, Ordering::SeqCst);
            });
            sleep(ms(1)).await;
            drop(semaphore.acquire().await);
            sleep(ms(9)).await;
        });
    holds(&report);
}

#[test]
fn async_lock_once_cell_is_initialised_by_the_next() {
    type Cell = async_lock::OnceCell<u32>;
    let report = world(async || Cell::new()).drop_everywhere(async |cell: &Cell| {
        let value = cell.get_or_init(async || {
            sleep(ms(2)).await;
            7
        });
        value.await;
    });
    holds(&report);
}

#[test]
fn async_lock_barrier_counts_one_that_gave_up() {
    type Barrier = async_lock::Barrier;
    finds("let through alone", "tests/locks.rs", || {
        world(async || Barrier::new(2))
            .once()
            .check(async |barrier: &Barrier| {
                let alone = timeout(ms(50), barrier.wait()).await;
                assert!(alone.is_err(), "let through alone");
            })
            .drop_everywhere(async |barrier: &Barrier| {
                let later = async {
                    sleep(ms(5)).await;
                    barrier.wait().await
                };
                tokio::join!(biased; barrier.wait(), later);
            })
    });
}

/// Its documentation says that `wait` is not cancel safe.
#[test]
fn tokio_barrier_counts_one_that_gave_up() {
    type Barrier = tokio::sync::Barrier;
    finds("let through alone", "src/sync/barrier.rs", || {
        world(async || Barrier::new(2))
            .once()
            .check(async |barrier: &Barrier| {
                let alone = timeout(ms(50), barrier.wait()).await;
                assert!(alone.is_err(), "let through alone");
            })
            .drop_everywhere(async |barrier: &Barrier| {
                let later = async {
                    sleep(ms(5)).await;
                    barrier.wait().await
                };
                tokio::join!(biased; barrier.wait(), later);
            })
    });
}
