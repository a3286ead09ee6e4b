//! Reading an outcome: find it, fix it on the whole path, report it.

use std::sync::Arc;

use super::tree::{Node, RESOLVED, Root};
use crate::cancelled::{Cancelled, Facts, Reason};
use crate::foreign;
use crate::sync::CancellationToken;
use crate::sync::clock::{self, NEVER};

impl Node {
    /// The outcome, stored on this node and on all of its path; `None` while it is live.
    pub(crate) fn outcome(&self) -> Option<Cancelled> {
        self.settled(true)
    }

    /// The outcome as an error, or what the clock said when there was none: for a wait that
    /// follows, which would have to read it again. It is 0 without a deadline.
    pub(crate) fn live_at(&self) -> Result<u64, Cancelled> {
        let now = match self.deadline {
            NEVER => 0,
            _ => clock::now(),
        };
        if !self.is_ended() && now < self.deadline {
            return Ok(now);
        }
        self.resolve(true).map_or(Ok(now), Err)
    }

    /// The outcome of the nearest node of this chain that holds one. Stores nothing.
    pub(crate) fn stored_outcome(self: &Arc<Node>) -> Option<Cancelled> {
        let holds_one = |node: &Arc<Node>| node.state.lock().outcome().cloned();
        self.lineage().find_map(holds_one)
    }

    /// `asking`: whether this thread is only asking, so that callbacks are left to others.
    pub(super) fn settled(&self, asking: bool) -> Option<Cancelled> {
        if self.flag.load() == RESOLVED {
            let found = self.state.lock().outcome().cloned();
            if found.is_some() {
                return found;
            }
        }
        if !self.is_ended() && (self.deadline == NEVER || clock::now() < self.deadline) {
            return None;
        }
        self.resolve(asking)
    }

    #[cold]
    fn resolve(&self, asking: bool) -> Option<Cancelled> {
        // The effective deadline is never later than that of any chain above.
        let now = if self.deadline == NEVER {
            0
        } else {
            clock::now()
        };
        let mut fresh = Vec::new();
        if let Root::Merge(merge) = self.top().root() {
            for chain in merge.chains() {
                chain.resolve_chain(now, &mut fresh);
            }
        }
        let outcome = self.resolve_chain(now, &mut fresh);
        for node in fresh {
            node.wake_waiters(asking);
        }
        outcome
    }

    /// Invariant 1: top down, one lock at a time, what a node has replacing what is carried.
    /// The nodes whose outcome began here, and whose tokens nothing else will cancel, are
    /// added to `fresh`.
    fn resolve_chain<'a>(&'a self, now: u64, fresh: &mut Vec<&'a Node>) -> Option<Cancelled> {
        let mut path = Vec::new();
        let mut next = Some(self);
        while let Some(node) = next {
            path.push(node);
            next = match node.flag.load() {
                RESOLVED => None,
                _ => node.parent.as_deref(),
            };
        }
        let mut carried: Option<Cancelled> = None;
        while let Some(node) = path.pop() {
            let own = match node.flag.load() {
                RESOLVED => None,
                _ => node.own_outcome(carried.as_ref(), now),
            };
            let begins_here = own.is_some();
            let settled = {
                let mut state = node.state.lock();
                let settled = state.settle(own.or_else(|| carried.clone()));
                if settled.stored {
                    node.flag.store(RESOLVED);
                }
                settled
            };
            if settled.stored && begins_here {
                fresh.push(node);
            }
            carried = settled.outcome.clone();
        }
        carried
    }

    /// The outcome that originates at this node, unless an ancestor's takes precedence.
    fn own_outcome(&self, carried: Option<&Cancelled>, now: u64) -> Option<Cancelled> {
        match self.root() {
            Root::Foreign if self.foreign_is_cancelled() => {
                return Some(Cancelled::plain(Reason::Token, self.made_at()).named(self.name()));
            }
            Root::Merge(merge) => {
                // Both were resolved before: they come earlier in the list of chains.
                let [one, other] = merge
                    .direct
                    .each_ref()
                    .map(|direct| direct.state.lock().outcome().cloned());
                // Of two deadlines that passed unseen the earlier counts, here as on one chain.
                let is_deadline = |ended: &Option<Cancelled>| {
                    ended.as_ref().is_some_and(Cancelled::is_of_deadline)
                };
                let other_was_first = is_deadline(&one)
                    && is_deadline(&other)
                    && merge.direct[1].deadline < merge.direct[0].deadline;
                let inherited = if other_was_first {
                    other
                } else {
                    one.or(other)
                };
                if inherited.is_some() {
                    return inherited;
                }
            }
            Root::Foreign | Root::None | Root::Todo | Root::Shield(_) => {}
        }
        // Of deadlines the earliest counts, and a node's own is earlier than its ancestors'.
        let is_due = self.is_deadline() && now >= self.deadline;
        if is_due && carried.is_none_or(Cancelled::is_of_deadline) {
            return Some(Cancelled::new(Facts {
                reason: Reason::Deadline,
                location: self.made_at(),
                after: self.after(),
                name: self.name().cloned(),
                cause: self.deadline_cause().cloned(),
            }));
        }
        None
    }

    /// Cancels the token, if there is one. Invariants 2, 3 and 5: the outcome is stored, no
    /// lock is held, and a waker's panic goes no further.
    #[inline]
    pub(super) fn wake_waiters(&self, asking: bool) {
        if let Some(token) = self.token.get() {
            self.cancel_token(token, asking);
        }
    }

    fn cancel_token(&self, token: &CancellationToken, asking: bool) {
        if matches!(self.root(), Root::Foreign) {
            return;
        }
        foreign::call("a waker", self.made_at(), None, || {
            foreign::with_asking(asking, || token.cancel());
        });
    }
}
