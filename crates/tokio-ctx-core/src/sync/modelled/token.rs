//! A stand-in for tokio-util's `CancellationToken`, whose inside a checker cannot see.
//!
//! Never stronger than the real one: a cancel marks the descendants one by one, under the
//! lock of the token it was called on, in the real one's order, itself last; wakers run after
//! all unlocks, in the real one's order. So a checker sees a tree that is cancelled in part.
//! `tests/token.rs` drives both with the same scripts and compares.
//!
//! Weaker in one way that nobody can observe but by memory: a child without handles stays
//! in its parent's list until the parent is cancelled or dropped.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker};

use super::lock::Mutex;

/// Stands in for tokio-util's `CancellationToken` under a model checker.
#[derive(Clone)]
pub struct CancellationToken(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    is_cancelled: bool,
    children: Vec<CancellationToken>,
    /// By the order of their first poll.
    waiters: BTreeMap<u64, Waker>,
    next_waiter: u64,
}

impl CancellationToken {
    /// A token that is not cancelled.
    #[must_use]
    pub fn new() -> CancellationToken {
        CancellationToken::with(false)
    }

    fn with(is_cancelled: bool) -> CancellationToken {
        CancellationToken(Arc::new(Mutex::new(Inner {
            is_cancelled,
            ..Inner::default()
        })))
    }

    /// A token that is cancelled with this one.
    #[must_use]
    pub fn child_token(&self) -> CancellationToken {
        let mut inner = self.0.lock();
        let child = CancellationToken::with(inner.is_cancelled);
        if !inner.is_cancelled {
            inner.children.push(child.clone());
        }
        child
    }

    /// Whether it is cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.lock().is_cancelled
    }

    /// Cancels this token and all below it.
    pub fn cancel(&self) {
        let mut wakers = Vec::new();
        {
            let mut inner = self.0.lock();
            if inner.is_cancelled {
                return;
            }
            // Taken from the end: marked ones go to the front, in the order that the real
            // token's in-place rotation gives them.
            let mut marked = 0;
            while marked < inner.children.len() {
                let Some(child) = inner.children.pop() else {
                    break;
                };
                {
                    let mut child = child.0.lock();
                    if child.is_cancelled {
                        continue;
                    }
                    while let Some(adopted) = child.children.pop() {
                        if !adopted.is_cancelled() {
                            inner.children.push(adopted);
                        }
                    }
                    child.is_cancelled = true;
                }
                inner.children.push(child);
                let last = inner.children.len() - 1;
                inner.children.swap(marked, last);
                marked += 1;
            }
            inner.is_cancelled = true;
            for child in std::mem::take(&mut inner.children) {
                let waiters = std::mem::take(&mut child.0.lock().waiters);
                wakers.extend(waiters.into_values());
            }
            wakers.extend(std::mem::take(&mut inner.waiters).into_values());
        }
        for waker in wakers {
            waker.wake();
        }
    }

    /// Waits until it is cancelled.
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub fn cancelled(&self) -> TokenWait<'_> {
        Wait {
            token: self,
            id: None,
        }
    }

    /// Waits until it is cancelled, with a token of its own.
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub fn cancelled_owned(self) -> TokenWaitOwned {
        Wait {
            token: self,
            id: None,
        }
    }
}

impl Default for CancellationToken {
    fn default() -> Self {
        CancellationToken::new()
    }
}

impl fmt::Debug for CancellationToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancellationToken").finish_non_exhaustive()
    }
}

pub(crate) type TokenWait<'a> = Wait<&'a CancellationToken>;
pub(crate) type TokenWaitOwned = Wait<CancellationToken>;

pub struct Wait<T: Borrow<CancellationToken>> {
    token: T,
    id: Option<u64>,
}

impl<T: Borrow<CancellationToken> + Unpin> Future for Wait<T> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<()> {
        let known = self.id;
        let (id, replaced) = {
            let mut inner = self.token.borrow().0.lock();
            if inner.is_cancelled {
                return Poll::Ready(());
            }
            let id = known.unwrap_or(inner.next_waiter);
            inner.next_waiter = inner.next_waiter.max(id + 1);
            (id, inner.waiters.insert(id, cx.waker().clone()))
        };
        drop(replaced);
        self.id = Some(id);
        Poll::Pending
    }
}

impl<T: Borrow<CancellationToken>> Drop for Wait<T> {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            let removed = self.token.borrow().0.lock().waiters.remove(&id);
            drop(removed);
        }
    }
}
