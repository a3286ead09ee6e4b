//! Types whose every method does what it should not: panics, blocks, re-enters, or cancels.

use std::cell::Cell;
use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Poller, Poll, Wake, Waker};
use std::time::Duration;

use tokio_ctx_core::{CancelHandle, Context};

use super::live::{Kind, Live, LiveToken};
use super::random::Random;

/// The payload of every panic in here, so that a real one is told apart.
pub(crate) struct Expected;

#[derive(Clone, Copy)]
enum Deed {
    Panic,
    Block,
    Reenter,
    Cancel,
}

/// Acts when it is shown, dropped, woken or called.
pub(crate) struct Hostile {
    deed: Deed,
    /// What it cancels and derives from: a context that it is not itself kept by.
    handle: CancelHandle,
    ctx: Context,
    _live: LiveToken,
}

thread_local! {
    static ACTING: Cell<bool> = const { Cell::new(false) };
}

impl Hostile {
    #[track_caller]
    pub(crate) fn new(random: &mut Random, live: &Live) -> Hostile {
        let deeds = [Deed::Panic, Deed::Block, Deed::Reenter, Deed::Cancel];
        Hostile::doing(deeds[random.below(4) as usize], live)
    }

    #[track_caller]
    fn doing(deed: Deed, live: &Live) -> Hostile {
        let victim = Context::background().with_cancel();
        Hostile {
            deed,
            handle: victim.handle(),
            ctx: victim.disarm(),
            _live: live.token(Kind::Value),
        }
    }

    pub(crate) fn act(&self) {
        // A second panic while a thread unwinds ends the process, and that is Rust's own rule.
        let acting = |was: &Cell<bool>| was.replace(true);
        if std::thread::panicking() || ACTING.try_with(acting).unwrap_or(true) {
            return;
        }
        struct Over;
        impl Drop for Over {
            fn drop(&mut self) {
                let _ = ACTING.try_with(|acting| acting.set(false));
            }
        }
        let _over = Over;
        match self.deed {
            Deed::Panic => std::panic::panic_any(Expected),
            Deed::Block => std::thread::park_timeout(Duration::from_micros(20)),
            Deed::Cancel => {
                self.handle.cancel();
            }
            Deed::Reenter => {
                let other = Context::background().with_cancel();
                let merged = self.ctx.merge(&other).with_timeout(Duration::from_secs(1));
                merged.on_cancel(|_| ()).disarm();
                drop((merged.token(), merged.err(), format!("{merged:?}")));
            }
        }
    }
}

impl Drop for Hostile {
    fn drop(&mut self) {
        self.act();
    }
}

impl fmt::Debug for Hostile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Hostile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.act();
        f.write_str("hostile")
    }
}

impl Error for Hostile {}

/// Wakes, and acts then. It does not panic: tokio gives up on the rest of a batch of waiters
/// when one of them does, so one that panicked could let an innocent one of the same context
/// sleep on, which is written down and nothing of ours.
struct HostileWaker {
    real: Waker,
    hostile: Hostile,
}

impl Wake for HostileWaker {
    fn wake(self: Arc<Self>) {
        self.real.wake_by_ref();
        self.hostile.act();
    }
}

/// Polls its future with wakers that are hostile.
pub(crate) struct WithHostileWaker<F> {
    future: Pin<Box<F>>,
    live: Live,
    polls: usize,
}

impl<F> WithHostileWaker<F> {
    pub(crate) fn new(future: F, live: &Live) -> Self {
        WithHostileWaker {
            future: Box::pin(future),
            live: live.clone(),
            polls: 0,
        }
    }
}

impl<F: Future> Future for WithHostileWaker<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Poller<'_>) -> Poll<F::Output> {
        let deed = [Deed::Block, Deed::Reenter, Deed::Cancel][self.polls % 3];
        self.polls += 1;
        let waker = Waker::from(Arc::new(HostileWaker {
            real: cx.waker().clone(),
            hostile: Hostile::doing(deed, &self.live),
        }));
        self.future.as_mut().poll(&mut Poller::from_waker(&waker))
    }
}
