//! How a request ends: [`RequestEnd`].

use std::cell::Cell;
use std::error::Error;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use http::StatusCode;
use tokio_ctx_core::owner::in_flight::InFlight;
use tokio_ctx_core::{CancelGuard, Cancelled, Context, Reason, owner};

use crate::context::config::Live;
use crate::context::summary::{Identity, RequestSummary};

/// The right to end the context of one request, which it does when it is dropped.
///
/// It moves with the request: first it is in the future of the response, then in its body.
/// It is dropped early only when the client no longer waits.
pub(crate) struct RequestEnd {
    guard: CancelGuard,
    live: Arc<Live>,
    state: State,
    status: Option<StatusCode>,
    /// Recorded only if a hook or a view reads it.
    identity: Option<Box<Identity>>,
    /// Where a live view finds the request.
    in_flight: InFlight,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// The client is owed an answer, or the rest of one.
    Owing,
    /// The handler, or its body, is being polled. Dropped in that state, it panicked.
    Polling,
    /// The client got all there is.
    Done,
}

impl RequestEnd {
    pub(crate) fn new(
        guard: CancelGuard,
        live: Arc<Live>,
        in_flight: InFlight,
        identity: Option<Box<Identity>>,
    ) -> RequestEnd {
        RequestEnd {
            guard,
            live,
            state: State::Owing,
            status: None,
            identity,
            in_flight,
        }
    }

    pub(crate) fn context(&self) -> &Context {
        &self.guard
    }

    /// What ended the context while the client was still waiting.
    pub(crate) fn cancelled(&self) -> Option<Cancelled> {
        self.guard.err()
    }

    /// Does `poll`, and remembers if it never came back.
    pub(crate) fn while_polling<T>(&mut self, poll: impl FnOnce() -> T) -> T {
        let before = std::mem::replace(&mut self.state, State::Polling);
        let polled = poll();
        self.state = before;
        polled
    }

    /// There is a response.
    pub(crate) fn answered(&mut self, status: StatusCode) {
        self.status = Some(status);
    }

    /// From now on a drop is the regular end.
    pub(crate) fn done(&mut self) {
        self.state = State::Done;
    }
}

impl Drop for RequestEnd {
    fn drop(&mut self) {
        let is_answering = IS_ANSWERING.try_with(Cell::get).unwrap_or(false);
        let (reason, cause) = match self.state {
            State::Owing if is_answering => {
                let cause: Arc<dyn Error + Send + Sync> = Arc::new(GivenUp);
                (Reason::RequestFinished, Some(cause))
            }
            State::Owing => (Reason::CallerGone, None),
            State::Polling => (Reason::TaskPanicked, None),
            State::Done => (Reason::RequestFinished, None),
        };
        let ended = owner::cancelled(reason, self.live.location, cause);
        owner::cancel(&self.guard.handle(), ended);
        self.in_flight.finish(&self.guard, self.live.location);
        if let Some(identity) = self.identity.take()
            && let Some(why) = self.guard.err()
        {
            let ctx = Context::clone(&self.guard);
            let summary = RequestSummary::new(ctx, identity, self.status, why);
            // A hook, or a subscriber, that panics must not take down what drops a request.
            let hook = self.live.on_end.as_deref();
            let logged = catch_unwind(AssertUnwindSafe(|| {
                summary.log();
                if let Some(hook) = hook {
                    hook(&summary);
                }
            }));
            drop(logged); // its message went through the panic hook
        }
    }
}

thread_local! {
    /// Whether a server is polling a response: no hang-up is noticed meanwhile.
    static IS_ANSWERING: Cell<bool> = const { Cell::new(false) };
}

/// Does `poll` for a server. A request that is dropped in there was given up by a layer around
/// it, a time limit for one, and not by its client.
#[cfg(feature = "axum")]
pub(crate) fn answering<T>(poll: impl FnOnce() -> T) -> T {
    struct Before(bool);

    impl Drop for Before {
        fn drop(&mut self) {
            IS_ANSWERING.set(self.0);
        }
    }

    let _before = Before(IS_ANSWERING.replace(true));
    poll()
}

/// The cause of the end of a request that got its answer from a layer outside.
#[derive(Debug)]
struct GivenUp;

impl fmt::Display for GivenUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a layer outside of the ContextLayer answered first")
    }
}

impl Error for GivenUp {}
