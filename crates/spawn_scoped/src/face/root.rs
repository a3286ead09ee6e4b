//! The process-wide root: who waits for the tasks of scopes that were dropped
//! with no scope around them.

use std::future::{pending, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Weak};
use std::task::Poll;
use std::time::Duration;

use tokio::task::coop::unconstrained;
use tokio_ctx_core::Context;

use crate::data::task_snapshot::TaskSnapshot;
use crate::face::spawner::Spawner;
use crate::state::adopt::{self, enter, give_to, with_current};
use crate::state::shared::Shared;
use crate::watch::straggler;

/// The scope around all scopes.
///
/// When a scope's future is dropped half-way and no scope around it is left to wait for its
/// tasks, they are handed to the root. A server joins it last, at shutdown.
///
/// # Examples
///
/// ```standalone_crate
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// // … the server has stopped …
/// match tokio_ctx::root().join_timeout(Duration::from_secs(10)).await {
///     Ok(()) => {}
///     Err(stragglers) => panic!("still running: {stragglers:?}"),
/// }
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Root(());

/// The process-wide [`Root`].
///
/// # Examples
///
/// ```standalone_crate
/// assert!(tokio_ctx::root().stragglers().is_empty());
/// ```
#[must_use]
pub fn root() -> Root {
    Root(())
}

/// Joins take turns: a scope has one waiter at a time, and a second join
/// waits for what the first one waits for, too.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

impl Root {
    /// Spawns into the root: isolated tasks that no scope waits for, and that
    /// [`join`](Root::join) does.
    ///
    /// Their context never ends by itself. After a join has begun, a spawner from before it is
    /// refused, and the next call of this gives one of the tasks that the next join waits for.
    ///
    /// # Examples
    ///
    /// ```standalone_crate
    /// use tokio_ctx::root;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let sent = root().spawner().isolated(async |_| Ok::<_, std::fmt::Error>("metrics"));
    /// assert_eq!(sent.await.unwrap(), Ok("metrics"));
    /// root().join().await;
    /// # }
    /// ```
    #[must_use]
    pub fn spawner(self) -> Spawner {
        Spawner::new(adopt::current(), None, None)
    }

    /// Waits for every task that was handed to the root before this call.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost: what has not finished is handed to the root again.
    ///
    /// # Examples
    ///
    /// ```standalone_crate
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// tokio_ctx::root().join().await;
    /// assert!(tokio_ctx::root().stragglers().is_empty());
    /// # }
    /// ```
    pub async fn join(self) {
        // It has as long as it takes.
        let _all = self.join_until(pending::<()>()).await;
    }

    /// The same for at most `timeout`.
    ///
    /// # Errors
    ///
    /// The tasks that are still running, when the time is over.
    /// They stay with the root, and a later join waits for them again.
    ///
    /// # Cancel safety
    ///
    /// That of [`join`](Self::join).
    ///
    /// # Examples
    ///
    /// ```standalone_crate
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let left = tokio_ctx::root().join_timeout(Duration::from_secs(1)).await;
    /// assert!(left.is_ok(), "nothing was handed to the root");
    /// # }
    /// ```
    pub async fn join_timeout(self, timeout: Duration) -> Result<(), Vec<TaskSnapshot>> {
        let time = Context::background().with_timeout(timeout);
        self.join_until(time.done()).await
    }

    async fn join_until<O>(self, over: impl Future<Output = O>) -> Result<(), Vec<TaskSnapshot>> {
        let mut over = pin!(over);
        let mut turn = pin!(unconstrained(TURN.lock()));
        let turn = poll_fn(|cx| match turn.as_mut().poll(cx) {
            Poll::Ready(turn) => Poll::Ready(Some(turn)),
            Poll::Pending => over.as_mut().poll(cx).map(|_| None),
        });
        let Some(_turn) = turn.await else {
            let left = self.stragglers();
            return if left.is_empty() { Ok(()) } else { Err(left) };
        };
        let joining = Joining::start();
        poll_fn(|cx| {
            if joining.closed.ledger.poll_empty(cx.waker()).is_ready() {
                return Poll::Ready(Ok(()));
            }
            over.as_mut()
                .poll(cx)
                .map(|_| Err(straggler::list(&joining.closed)))
        })
        .await
    }

    /// The tasks that were handed to the root and are still running.
    ///
    /// # Examples
    ///
    /// ```standalone_crate
    /// assert!(tokio_ctx::root().stragglers().is_empty());
    /// ```
    #[must_use]
    pub fn stragglers(self) -> Vec<TaskSnapshot> {
        let (current, closing) =
            with_current(|current| (current.ticket.shared().clone(), current.closing.upgrade()));
        let mut left = closing.map_or_else(Vec::new, |closing| straggler::list(&closing));
        left.extend(straggler::list(&current));
        left
    }
}

/// A part of the root that is closed and waited for. Handed to the current
/// part when the wait is given up.
struct Joining {
    closed: Arc<Shared>,
}

impl Joining {
    fn start() -> Self {
        let fresh = adopt::open();
        let old = with_current(|current| {
            let old = std::mem::replace(current, fresh);
            current.closing = Arc::downgrade(old.ticket.shared());
            old
        });
        let closed = old.ticket.shared().clone();
        // The last ticket may wake or drop something foreign: outside the lock.
        drop(old);
        Self { closed }
    }
}

impl Drop for Joining {
    fn drop(&mut self) {
        with_current(|current| current.closing = Weak::new());
        if !self.closed.ledger.is_empty() {
            self.closed.cold.lock().failures.orphaned = true;
            give_to(enter(), &self.closed);
        }
    }
}
