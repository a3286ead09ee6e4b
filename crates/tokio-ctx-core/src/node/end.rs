//! How a node ends, by a cancel or with the last handle.

use std::sync::Arc;

use super::state::State;
use super::tree::{Extra, Node, RESOLVED};
use crate::cancelled::Cancelled;
use crate::foreign;

impl Node {
    /// Ends this node as `cancelled` says, unless it ended before. Returns whether it did.
    pub(crate) fn cancel(self: &Arc<Node>, cancelled: Cancelled) -> bool {
        !self.is_done() && self.end(cancelled)
    }

    /// The same without a look at the clock: a deadline that passed unseen is let pass.
    pub(crate) fn finish(self: &Arc<Node>, cancelled: Cancelled) -> bool {
        !self.is_ended() && self.end(cancelled)
    }

    #[inline]
    fn end(self: &Arc<Node>, cancelled: Cancelled) -> bool {
        let cancelled = self.named(cancelled);
        let ended = {
            let mut state = self.state.lock();
            let ended = state.end(cancelled);
            if ended.is_ok() {
                self.flag.store(RESOLVED);
            }
            ended
        };
        // Invariant 1: another outcome is there. Invariant 3: the late one is dropped here.
        let Ok(extra) = ended else {
            return false;
        };
        // Invariant 2.
        if extra.is_some() || self.token.get().is_some() {
            let node = Arc::clone(self);
            foreign::nested(move || {
                node.wake_waiters(false);
                if let Some(extra) = extra {
                    node.run(*extra);
                }
            });
        }
        true
    }

    /// Takes out what it hangs on: the node above, and more of them into `pending`.
    fn unlink(&mut self, pending: &mut Vec<Arc<Node>>) -> Option<Arc<Node>> {
        match self.extra.take().and_then(Arc::into_inner) {
            Some(Extra::Merge(merge)) => {
                pending.extend(merge.chains.into_inner().into_iter().flatten());
                pending.extend(merge.direct);
            }
            Some(Extra::Cause(cause)) => foreign::release(cause),
            _ => {}
        }
        self.parent.take()
    }

    /// Invariant 6. Only merges need the list: their parents are more than one.
    #[cold]
    fn drop_upwards(&mut self) {
        let mut pending = Vec::new();
        let mut next = self.unlink(&mut pending);
        while let Some(above) = next.or_else(|| pending.pop()) {
            next = Arc::into_inner(above).and_then(|mut node| node.unlink(&mut pending));
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let state = self.state.get_mut();
        if matches!(state, State::Busy(_)) {
            foreign::release(std::mem::replace(state, State::Live));
        }
        if matches!(self.extra(), Some(Extra::Merge(_) | Extra::Cause(_))) {
            self.drop_upwards();
        } else if let Some(mut above) = self.parent.take().and_then(Arc::into_inner) {
            // Usually there is no parent, or it has other owners too.
            above.drop_upwards();
        }
    }
}
