//! Waiting for the end of a context.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};

use futures_core::FusedFuture;
use pin_project_lite::pin_project;

use crate::cancelled::Cancelled;
use crate::node::Node;
use crate::sync::{CancellationToken, TokenWait, TokenWaitOwned};

pin_project! {
    /// The future of [`Context::done`](crate::Context::done).
    ///
    /// Once ready it is ready for ever: a context that ended stays so. `is_terminated` says
    /// that it has given its answer.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_core::FusedFuture;
    /// use tokio_ctx::Context;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let ctx = Context::background().with_cancel();
    /// ctx.cancel();
    /// let mut done = std::pin::pin!(ctx.done());
    /// assert!(!done.is_terminated());
    /// done.as_mut().await;
    /// assert!(done.is_terminated());
    /// # }
    /// ```
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct Done<'a> {
        node: Option<&'a Arc<Node>>,
        #[pin]
        wait: Option<TokenWait<'a>>,
        is_terminated: bool,
    }
}

impl<'a> Done<'a> {
    pub(crate) fn new(node: Option<&'a Arc<Node>>) -> Done<'a> {
        Done {
            node,
            wait: None,
            is_terminated: false,
        }
    }
}

impl Future for Done<'_> {
    type Output = Cancelled;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Cancelled> {
        let mut this = self.project();
        let Some(node) = *this.node else {
            return Poll::Pending;
        };
        let polled = poll_node(
            node,
            this.wait.as_mut(),
            cx,
            None,
            CancellationToken::cancelled,
        );
        *this.is_terminated |= polled.is_ready();
        polled
    }
}

impl FusedFuture for Done<'_> {
    fn is_terminated(&self) -> bool {
        self.is_terminated
    }
}

impl fmt::Debug for Done<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Done").finish_non_exhaustive()
    }
}

pin_project! {
    /// The future of [`Context::done_owned`](crate::Context::done_owned).
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Context, future::DoneOwned};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let ctx = Context::background().with_cancel();
    /// let done: DoneOwned = ctx.done_owned();
    /// ctx.cancel();
    /// assert_eq!(done.await.reason(), tokio_ctx::Reason::Cancelled);
    /// # }
    /// ```
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct DoneOwned {
        // Dropped before the node that its token belongs to.
        #[pin]
        wait: Option<TokenWaitOwned>,
        node: Option<Arc<Node>>,
        is_terminated: bool,
    }
}

impl DoneOwned {
    pub(crate) fn new(node: Option<Arc<Node>>) -> DoneOwned {
        DoneOwned {
            wait: None,
            node,
            is_terminated: false,
        }
    }

    /// The outcome as an error, or what the clock said when there was none.
    pub(crate) fn live_at(&self) -> Result<Option<u64>, Cancelled> {
        self.node
            .as_ref()
            .map(|node| node.settled(true))
            .transpose()
    }

    /// Polls it. `seen`: what the clock said in this poll, if it was read already.
    pub(crate) fn poll_after(
        self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        seen: Option<u64>,
    ) -> Poll<Cancelled> {
        let mut this = self.project();
        let Some(node) = this.node.as_ref() else {
            return Poll::Pending;
        };
        let polled = poll_node(node, this.wait.as_mut(), cx, seen, |token| {
            token.clone().cancelled_owned()
        });
        *this.is_terminated |= polled.is_ready();
        polled
    }
}

impl Future for DoneOwned {
    type Output = Cancelled;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Cancelled> {
        self.poll_after(cx, None)
    }
}

impl FusedFuture for DoneOwned {
    fn is_terminated(&self) -> bool {
        self.is_terminated
    }
}

impl fmt::Debug for DoneOwned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DoneOwned").finish_non_exhaustive()
    }
}

/// One poll: ask, make the token if this is the first wait, see to the timer, wait.
#[inline]
fn poll_node<'a, W: Future<Output = ()>>(
    node: &'a Arc<Node>,
    mut wait: Pin<&mut Option<W>>,
    cx: &mut TaskContext<'_>,
    seen: Option<u64>,
    start: impl FnOnce(&'a CancellationToken) -> W,
) -> Poll<Cancelled> {
    if node.is_ended() || !node.arm(seen) {
        return Poll::Ready(node.ended_outcome());
    }
    if wait.is_none() {
        match node.token() {
            Some(token) => wait.set(Some(start(token))),
            None => return Poll::Ready(node.ended_outcome()),
        }
    }
    if let Some(wait) = wait.as_pin_mut() {
        ready!(wait.poll(cx));
    }
    Poll::Ready(node.ended_outcome())
}
