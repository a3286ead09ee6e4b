//! Where trees grow: runtimes of every kind, and none.

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context as Poller, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use spawn_scoped::{root, scope};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio_ctx_core::{Cancelled, Context};

use crate::trees::{self, Expected, Live, Random};

/// Trees that are under way at once.
const AT_ONCE: u64 = 64;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Setting {
    /// A runtime with workers, which stays.
    Workers,
    /// One thread, without timers.
    WithoutTimers,
    /// One thread, on a paused clock.
    PausedClock,
    /// Waited for by another executor, beside the workers.
    BlockOn,
    /// Waited for by another executor; there is no runtime, so tasks are lost.
    NoRuntime,
    /// Its runtime is shut down midway.
    ShutDown,
}

pub(crate) const SETTINGS: [Setting; 6] = [
    Setting::Workers,
    Setting::WithoutTimers,
    Setting::PausedClock,
    Setting::BlockOn,
    Setting::NoRuntime,
    Setting::ShutDown,
];

/// What all rounds share.
#[derive(Clone)]
pub(crate) struct Soil {
    pub(crate) live: Live,
    pub(crate) scopes: Arc<AtomicUsize>,
    pub(crate) seed: u64,
}

impl Setting {
    /// Grows [`AT_ONCE`] trees, and waits until nothing of them is left. What is left after
    /// `patience` is an error.
    pub(crate) fn round(
        self,
        workers: &Runtime,
        number: u64,
        soil: &Soil,
        patience: Duration,
    ) -> Result<(), String> {
        let round = grow(self, number, soil.clone());
        let single = || {
            let mut builder = Builder::new_current_thread();
            builder.start_paused(matches!(self, Setting::PausedClock));
            if matches!(self, Setting::PausedClock) {
                builder.enable_all();
            }
            builder.build().expect("a runtime")
        };
        match self {
            Setting::Workers => workers.block_on(round),
            Setting::WithoutTimers | Setting::PausedClock => single().block_on(round),
            Setting::BlockOn => {
                let _inside = workers.enter();
                block_on(round);
            }
            Setting::NoRuntime => block_on(round),
            Setting::ShutDown => {
                let mut cut = Builder::new_multi_thread();
                let cut = cut.worker_threads(2).enable_all().build();
                let cut = cut.expect("a runtime");
                let task = cut.spawn(round);
                let until = Instant::now() + Duration::from_micros(number % 7 * 300);
                while Instant::now() < until && !task.is_finished() {
                    thread::yield_now();
                }
                cut.shutdown_timeout(Duration::from_secs(5));
            }
        }
        // What was left to the process, by trees whose scope went as well.
        let left = workers.block_on(root().join_timeout(patience));
        if let Err(left) = left {
            let lines: Vec<String> = left.iter().take(10).map(ToString::to_string).collect();
            return Err(format!("still running: {}", lines.join("\n")));
        }
        // A timer of ours, or a thread of a pool, may hold a last handle for a moment.
        let until = Instant::now() + patience;
        while soil.live.count() > 0 {
            if Instant::now() > until {
                return Err(format!("still alive: {}", soil.live));
            }
            thread::sleep(Duration::from_micros(200));
        }
        Ok(())
    }
}

/// A scope around the trees of a round, which waits for what they leave.
async fn grow(setting: Setting, number: u64, soil: Soil) {
    let ctx = Context::background();
    let round = scope(&ctx, async |s| {
        for index in 0..AT_ONCE {
            let tree = number * AT_ONCE + index;
            let random = Random::new(soil.seed ^ tree.wrapping_mul(0x2545_f491_4f6c_dd1d));
            let (live, scopes, ctx) = (soil.live.clone(), soil.scopes.clone(), s.context().clone());
            let one = async move {
                let tree = AssertUnwindSafe(trees::tree(&ctx, random, live, scopes));
                if let Err(payload) = tree.catch_unwind().await {
                    assert!(payload.is::<Expected>(), "a panic that nobody planned");
                }
            };
            if Handle::try_current().is_err() {
                one.await;
                continue;
            }
            let task = tokio::spawn(one);
            if tree % 7 == 0 {
                // An abort, somewhere.
                tokio::task::yield_now().await;
                task.abort();
            }
            let joined = async move |_: Context| match task.await {
                Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                _ => Ok::<_, Cancelled>(()),
            };
            s.spawn(joined);
        }
        Ok(())
    });
    let round = AssertUnwindSafe(round).catch_unwind().await;
    match round {
        Ok(result) => assert!(
            result.is_ok() || matches!(setting, Setting::ShutDown),
            "nothing in it fails"
        ),
        // The drop of a tree that was aborted may panic.
        Err(payload) => assert!(payload.is::<Expected>(), "a panic that nobody planned"),
    }
}

/// Another executor than tokio's: the thread waits.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread, AtomicBool);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.1.store(true, Ordering::SeqCst);
            self.0.unpark();
        }
    }
    let unpark = Arc::new(Unpark(thread::current(), AtomicBool::new(false)));
    let waker = Waker::from(unpark.clone());
    let mut cx = Poller::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
        // What is hostile parks too, and takes what the thread was unparked for.
        while !unpark.1.swap(false, Ordering::SeqCst) {
            thread::park();
        }
    }
}
