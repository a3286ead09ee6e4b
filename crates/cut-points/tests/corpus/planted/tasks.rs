//! Tasks that run on, tasks that are aborted half-way, and what a crash loses.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use cut_points::{FaultKind, Report, world};
use tokio::task::{JoinHandle, JoinSet, yield_now};
use tokio::time::sleep;

use crate::{Planted, ms, planted, secs};

pub(super) fn programs() -> Vec<Planted> {
    use FaultKind::{Check, SecondCall, StillRuns, TaskPanic};
    vec![
        planted("task_that_runs_on", StillRuns, 1, task_that_runs_on)
            .after("https://github.com/spinframework/spin/pull/3541"),
        planted(
            "task_that_is_aborted_half_way",
            Check,
            1,
            task_that_is_aborted_half_way,
        ),
        planted(
            "set_that_is_aborted_half_way",
            Check,
            1,
            set_that_is_aborted_half_way,
        ),
        planted(
            "task_whose_partner_left",
            TaskPanic,
            1,
            task_whose_partner_left,
        ),
        planted(
            "spawned_by_a_destructor",
            SecondCall,
            1,
            spawned_by_a_destructor,
        ),
        planted("written_behind", Check, 1, written_behind),
    ]
}

fn task_that_runs_on() -> Report {
    world(async || ()).drop_everywhere(async |(): &()| {
        let proxied = tokio::spawn(sleep(secs(30)));
        proxied.await.map_err(|error| error.to_string()) // CUT: the client is gone
    })
}

#[derive(Default)]
struct Halves {
    begun: AtomicU32,
    done: AtomicU32,
}

impl Halves {
    async fn work(&self) {
        self.begun.fetch_add(1, Ordering::SeqCst);
        yield_now().await;
        self.done.fetch_add(1, Ordering::SeqCst);
    }

    #[track_caller]
    fn check(&self) {
        let (begun, done) = (
            self.begun.load(Ordering::SeqCst),
            self.done.load(Ordering::SeqCst),
        );
        assert_eq!(begun, done, "half done");
    }
}

struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn task_that_is_aborted_half_way() -> Report {
    world(async || Arc::new(Halves::default()))
        .check(async |halves: &Arc<Halves>| halves.check())
        .drop_everywhere(async |halves: &Arc<Halves>| {
            let halves = Arc::clone(halves);
            let mut task = AbortOnDrop(tokio::spawn(async move { halves.work().await }));
            (&mut task.0).await.map_err(|error| error.to_string()) // CUT: between two of its polls
        })
}

fn set_that_is_aborted_half_way() -> Report {
    world(async || Arc::new(Halves::default()))
        .check(async |halves: &Arc<Halves>| halves.check())
        .drop_everywhere(async |halves: &Arc<Halves>| {
            let mut set = JoinSet::new();
            for _ in 0..3 {
                let halves = Arc::clone(halves);
                set.spawn(async move { halves.work().await });
            }
            while let Some(joined) = set.join_next().await {
                // CUT
                joined.map_err(|error| error.to_string())?;
            }
            Ok::<_, String>(())
        })
}

fn task_whose_partner_left() -> Report {
    world(async || ()).drop_everywhere(async |(): &()| {
        let (sender, receiver) = tokio::sync::oneshot::channel::<u32>();
        let task = tokio::spawn(async move { receiver.await.expect("the other half is there") });
        sleep(ms(1)).await; // CUT
        sender.send(7).map_err(|_| "nobody listens")?;
        task.await.map_err(|_| "it panicked")?;
        Ok::<_, &str>(())
    })
}

type Free = Arc<Mutex<Vec<u32>>>;

/// A number that is given back by a task.
struct Number(u32, Free);

impl Drop for Number {
    fn drop(&mut self) {
        let (number, free) = (self.0, Arc::clone(&self.1));
        tokio::spawn(async move { free.lock().expect("not poisoned").push(number) });
    }
}

fn spawned_by_a_destructor() -> Report {
    world(async || Arc::new(Mutex::new(vec![7]))).crash_everywhere(async |free: &Free| {
        let number = free
            .lock()
            .expect("not poisoned")
            .pop()
            .ok_or("no number is free")?;
        let _number = Number(number, Arc::clone(free));
        sleep(ms(1)).await; // CUT
        Ok::<_, &str>(())
    })
}

fn written_behind() -> Report {
    type Disk = Arc<Mutex<Vec<u32>>>;
    let acknowledged = Arc::new(AtomicU32::new(0));
    let (begin, seen) = (Arc::clone(&acknowledged), Arc::clone(&acknowledged));
    world(async move || {
        begin.store(0, Ordering::SeqCst);
        Disk::default()
    })
    .once()
    .check(async move |disk: &Disk| {
        let written = disk.lock().expect("not poisoned").len();
        assert!(
            written >= seen.load(Ordering::SeqCst) as usize,
            "acknowledged and not written"
        );
    })
    .crash_everywhere(async move |disk: &Disk| {
        let (sender, mut receiver) = tokio::sync::mpsc::channel(8);
        let disk = Arc::clone(disk);
        let writer = tokio::spawn(async move {
            while let Some(number) = receiver.recv().await {
                disk.lock().expect("not poisoned").push(number);
            }
        });
        sender.send(1).await.map_err(|error| error.to_string())?;
        acknowledged.fetch_add(1, Ordering::SeqCst);
        drop(sender);
        writer.await.map_err(|error| error.to_string()) // CUT: a crash before the writer ran
    })
}
