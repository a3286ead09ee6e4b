//! Reading an outcome: find it, fix it on the whole path, report it.

use std::sync::Arc;
use std::time::Duration;

use super::tree::{Extra, Node, RESOLVED};
use crate::cancelled::{Cancelled, Facts, Reason};
use crate::foreign;
use crate::sync::clock::{self, NEVER};

impl Node {
    /// The outcome, stored on this node and on all of its path; `None` while it is live.
    pub(crate) fn outcome(&self) -> Option<Cancelled> {
        self.settled(true).err()
    }

    /// The outcome of the nearest node of this chain that holds one. Stores nothing.
    pub(crate) fn stored_outcome(self: &Arc<Node>) -> Option<Cancelled> {
        let holds_one = |node: &Arc<Node>| node.state.lock().outcome().cloned();
        self.lineage().find_map(holds_one)
    }

    /// The outcome as an error, or what the clock said when there was none: for a wait that
    /// follows, which would have to read it again. It is 0 without a deadline.
    ///
    /// `asking`: whether this thread is only asking, so that callbacks are left to others.
    pub(crate) fn settled(&self, asking: bool) -> Result<u64, Cancelled> {
        if self.flag.load() == RESOLVED {
            if let Some(outcome) = self.state.lock().outcome() {
                return Err(outcome.clone());
            }
        }
        let is_ended = self.is_ended();
        // Read afterwards: a deadline above that was seen to have passed has passed for this clock.
        let now = match self.deadline {
            NEVER => 0,
            _ => clock::now(),
        };
        if !is_ended && now < self.deadline {
            return Ok(now);
        }
        self.resolve(asking, now).map_or(Ok(now), Err)
    }

    /// `now`: the effective deadline is never later than that of any chain above.
    #[cold]
    fn resolve(&self, asking: bool, now: u64) -> Option<Cancelled> {
        let mut fresh = Vec::new();
        if let Some(Extra::Merge(merge)) = self.top().extra() {
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
            let offered = own.or_else(|| carried.clone());
            let settled = {
                let mut state = node.state.lock();
                let settled = state.settle(offered.as_ref());
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
        match self.extra() {
            Some(Extra::Foreign) if self.foreign_is_cancelled() => {
                return Some(self.named(Cancelled::new(Reason::Token, self.made_at, None)));
            }
            Some(Extra::Merge(merge)) => {
                // Both were resolved before: they come earlier in the list of chains.
                let [one, other] = merge
                    .direct
                    .each_ref()
                    .map(|direct| direct.state.lock().outcome().cloned());
                // Of two deadlines that passed unseen the earlier counts, here as on one chain.
                let is_deadline = Cancelled::is_of_deadline;
                let are_deadlines = one.as_ref().is_some_and(is_deadline)
                    && other.as_ref().is_some_and(is_deadline);
                let other_was_first = merge.direct[1].deadline < merge.direct[0].deadline;
                let inherited = match are_deadlines && other_was_first {
                    true => other,
                    false => one.or(other),
                };
                if inherited.is_some() {
                    return inherited;
                }
            }
            _ => {}
        }
        // Of deadlines the earliest counts, and a node's own is earlier than its ancestors'.
        let is_due = self.is_deadline() && now >= self.deadline;
        if is_due && carried.is_none_or(Cancelled::is_of_deadline) {
            return Some(self.named(Cancelled::full(Facts {
                reason: Reason::Deadline,
                location: self.made_at,
                after: Some(Duration::from_nanos(self.after)),
                name: None,
                cause: match self.extra() {
                    Some(Extra::Cause(cause)) => Some(Arc::clone(cause)),
                    _ => None,
                },
            })));
        }
        None
    }

    /// Cancels the token, if there is one, and it is ours. Invariants 2, 3 and 5: the outcome is
    /// stored, no lock is held, and a waker's panic goes no further.
    pub(super) fn wake_waiters(&self, asking: bool) {
        let Some(token) = self.token.get() else {
            return;
        };
        if !matches!(self.extra(), Some(Extra::Foreign)) {
            foreign::call("a waker", self.made_at, None, || {
                foreign::with_asking(asking, || token.cancel());
            });
        }
    }
}
