//! The waker that a call is polled with: the code that keeps a clone of it is what the call awaits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;

use super::seen::Seen;

struct Inner {
    woken: Arc<AtomicBool>,
    outer: Waker,
}

impl Inner {
    fn wake(&self) {
        self.woken.store(true, Ordering::SeqCst);
        self.outer.wake_by_ref();
    }
}

#[cfg(feature = "names")]
pub(crate) fn waker(woken: &Arc<AtomicBool>, outer: &Waker, recorded: bool) -> (Waker, Seen) {
    use cooked_waker::{IntoWaker, Wake, WakeRef};

    struct Recorder {
        inner: Inner,
        seen: Option<Seen>,
    }

    impl Clone for Recorder {
        fn clone(&self) -> Recorder {
            if let Some(seen) = &self.seen {
                seen.record();
            }
            let woken = Arc::clone(&self.inner.woken);
            let outer = self.inner.outer.clone();
            // A clone of the clone is made later, outside of this poll.
            Recorder {
                inner: Inner { woken, outer },
                seen: None,
            }
        }
    }

    impl WakeRef for Recorder {
        fn wake_by_ref(&self) {
            // An await that wakes itself at once keeps no clone.
            if let Some(seen) = &self.seen {
                seen.record();
            }
            self.inner.wake();
        }
    }

    impl Wake for Recorder {}

    let seen = Seen::default();
    let inner = Inner {
        woken: Arc::clone(woken),
        outer: outer.clone(),
    };
    let recorder = Recorder {
        inner,
        seen: recorded.then(|| seen.clone()),
    };
    (Box::new(recorder).into_waker(), seen)
}

#[cfg(not(feature = "names"))]
impl std::task::Wake for Inner {
    fn wake(self: Arc<Self>) {
        Inner::wake(&self);
    }
}

#[cfg(not(feature = "names"))]
pub(crate) fn waker(woken: &Arc<AtomicBool>, outer: &Waker, _: bool) -> (Waker, Seen) {
    let inner = Inner {
        woken: Arc::clone(woken),
        outer: outer.clone(),
    };
    (Waker::from(Arc::new(inner)), Seen::default())
}
