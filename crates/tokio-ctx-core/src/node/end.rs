//! How a node ends, by a cancel or with the last handle.

use std::sync::Arc;

use super::state::State;
use super::tree::{Extra, Node, RESOLVED, Root};
use crate::cancelled::{Cancelled, Facts, Place, Reason, SharedCause};
use crate::foreign;

impl Node {
    /// Ends this node with `reason`, unless it ended before. Returns whether it did.
    pub(crate) fn cancel(
        self: &Arc<Node>,
        reason: Reason,
        location: Place,
        cause: Option<SharedCause>,
    ) -> bool {
        if self.is_done() {
            // Here already it may be the last of its kind.
            foreign::discard(cause);
            return false;
        }
        let cancelled = Cancelled::new(Facts {
            reason,
            location,
            after: None,
            name: self.name().cloned(),
            cause,
        });
        self.end(cancelled)
    }

    /// Ends this node as `cancelled` says.
    pub(crate) fn cancel_as(self: &Arc<Node>, cancelled: Cancelled) -> bool {
        if self.is_done() {
            foreign::discard(cancelled);
            return false;
        }
        self.end(cancelled.named(self.name()))
    }

    /// The same without a look at the clock: a deadline that passed unseen is let pass.
    pub(crate) fn finish_as(self: &Arc<Node>, cancelled: Cancelled) -> bool {
        if self.is_ended() {
            foreign::discard(cancelled);
            return false;
        }
        self.end(cancelled.named(self.name()))
    }

    fn end(self: &Arc<Node>, cancelled: Cancelled) -> bool {
        let ended = {
            let mut state = self.state.lock();
            let ended = state.end(cancelled);
            if ended.is_ok() {
                self.flag.store(RESOLVED);
            }
            ended
        };
        match ended {
            Ok(None) if self.token.get().is_none() => {}
            // Invariant 2.
            Ok(extra) => {
                let node = Arc::clone(self);
                foreign::nested(move || {
                    node.wake_waiters(false);
                    if let Some(extra) = extra {
                        node.run(*extra);
                    }
                });
            }
            // Invariant 1: another outcome is there. Invariant 3: dropped here.
            Err(late) => {
                foreign::discard(late);
                return false;
            }
        }
        true
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let state = self.state.get_mut();
        if state.is_foreign() {
            let state = std::mem::replace(state, State::Live);
            foreign::nested(move || foreign::discard(state));
        }
        if matches!(self.extra(), Some(Extra::Root(_) | Extra::Cause(_))) {
            self.unlink_upwards();
        } else if let Some(above) = self.parent.take().and_then(Arc::into_inner) {
            // Usually there is no parent, or it has other owners too.
            above.drop_upwards();
        }
    }
}

impl Node {
    #[cold]
    fn drop_upwards(mut self) {
        self.unlink_upwards();
    }

    /// Invariant 6. Only merges need the list: their parents are more than one.
    #[cold]
    fn unlink_upwards(&mut self) {
        let mut pending = Vec::new();
        let mut next = self.unlink(&mut pending);
        loop {
            while let Some(node) = next.and_then(Arc::into_inner) {
                let mut node = node;
                next = node.unlink(&mut pending);
            }
            match pending.pop() {
                Some(node) => next = Some(node),
                None => break,
            }
        }
    }
}

impl Node {
    fn unlink(&mut self, pending: &mut Vec<Arc<Node>>) -> Option<Arc<Node>> {
        match self.extra.take().and_then(Arc::into_inner) {
            Some(Extra::Root(Root::Merge(merge))) => merge.unlink(pending),
            Some(Extra::Cause(cause)) => foreign::discard(cause),
            _ => {}
        }
        self.parent.take()
    }
}
