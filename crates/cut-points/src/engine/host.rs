//! A runtime that gives control back between any two polls of its tasks.
//!
//! With `event_interval(1)` a current-thread runtime polls the future of `block_on`, if it is
//! woken, before each poll of a task. A root future that always wakes itself is therefore called
//! once per poll of a task. It keeps one task of its own in the queue, the sentinel, which is first
//! in, first out: if the sentinel ran since the last call, no other task did. If it ran twice in a
//! row, nothing is ready; then the root stops waking itself, so that the paused clock or the driver
//! can act, and the hook `on_thread_unpark` wakes it again.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::runtime::Runtime;

use crate::settings::Settings;

/// How long blocking work may delay the end of a run.
pub(super) const SHUTDOWN: Duration = Duration::from_secs(1);

pub(super) struct Host {
    pub(super) runtime: Runtime,
    pub(super) shared: Arc<Shared>,
    pub(super) real_time: bool,
    pub(super) quiet: Duration,
    /// What to spend of tokio's budget before each poll, so that one unit is left.
    pub(super) spend: u32,
}

#[derive(Default)]
pub(super) struct Shared {
    sentinel_polls: AtomicU64,
    sentinel: Mutex<Option<Waker>>,
    /// The root, while it waits for the clock or the driver.
    pub(super) resting: Mutex<Option<Waker>>,
}

impl Shared {
    fn wake(slot: &Mutex<Option<Waker>>) {
        let waker = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(super) fn keep(slot: &Mutex<Option<Waker>>, cx: &Context<'_>) {
        *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(cx.waker().clone());
    }
}

impl Host {
    pub(super) fn new(settings: &Settings) -> io::Result<Host> {
        let shared = Arc::<Shared>::default();
        let unparked = Arc::clone(&shared);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .event_interval(1)
            .global_queue_interval(1)
            .start_paused(!settings.real_time)
            .on_thread_unpark(move || Shared::wake(&unparked.resting))
            .build()?;
        let polled = Arc::clone(&shared);
        runtime.spawn(poll_fn(move |cx| {
            polled.sentinel_polls.fetch_add(1, Ordering::SeqCst);
            Shared::keep(&polled.sentinel, cx);
            Poll::<()>::Pending
        }));
        let spend = if settings.ready {
            runtime.block_on(async { whole_budget() }).saturating_sub(1)
        } else {
            0
        };
        Ok(Host {
            runtime,
            shared,
            real_time: settings.real_time,
            quiet: settings.quiet,
            spend,
        })
    }

    /// Tasks that have not ended, without the sentinel.
    pub(super) fn tasks(&self) -> usize {
        self.runtime.metrics().num_alive_tasks().saturating_sub(1)
    }

    /// Drops the runtime and with it every task.
    pub(super) fn shut_down(self) {
        self.runtime.shutdown_timeout(SHUTDOWN);
    }

    /// Keeps the sentinel in the queue, and says whether it ran since `seen`.
    pub(super) fn sentinel_ran(&self, seen: &mut u64) -> bool {
        Shared::wake(&self.shared.sentinel);
        let polls = self.shared.sentinel_polls.load(Ordering::SeqCst);
        std::mem::replace(seen, polls) != polls
    }
}

/// The units of tokio's budget for one poll; spends all of it.
fn whole_budget() -> u32 {
    // A runtime without a budget would never say that it is spent.
    const NONE: u32 = 10_000;
    (0..NONE).find(|_| !spend_one()).unwrap_or(0)
}

pub(super) fn spend_one() -> bool {
    let unit = pin!(tokio::task::coop::consume_budget());
    let mut cx = Context::from_waker(Waker::noop());
    unit.poll(&mut cx).is_ready()
}
