//! Waiting: tokens made on demand, timers armed on demand, and the relay between them and
//! the node.

use std::future::Future;
use std::sync::{Arc, Weak};
use std::task::{Context as TaskContext, Wake, Waker};

use smallvec::SmallVec;

use super::state::Watch;
use super::tree::{Extra, Node};
use crate::cancelled::Cancelled;
use crate::foreign;
use crate::sync::clock::{self, NEVER};
use crate::sync::timer::{self, HELPER, Timer};
use crate::sync::{CancellationToken, defer};

impl Node {
    /// This node's token, made now if need be; `None` when the node ended without one.
    pub(crate) fn token(self: &Arc<Node>) -> Option<&CancellationToken> {
        if let Some(token) = self.token.get() {
            return Some(token);
        }
        if let Some(Extra::Merge(merge)) = self.top().extra() {
            for chain in merge.chains() {
                chain.chain_token()?;
            }
        }
        self.chain_token()
    }

    /// Makes the tokens of this chain, from the first node that has one downwards.
    fn chain_token(self: &Arc<Node>) -> Option<&CancellationToken> {
        match &self.parent {
            Some(parent) if parent.token.get().is_none() => self.path_token(),
            // Usually an ancestor has a token already, and only this node lacks one.
            parent => self.make_token(parent.as_ref().and_then(|parent| parent.token.get())),
        }
    }

    #[cold]
    fn path_token(self: &Arc<Node>) -> Option<&CancellationToken> {
        // Few are far from a token, so that the path has mostly no room on the heap.
        let mut path: SmallVec<[&Arc<Node>; 4]> = SmallVec::new();
        let mut above = None;
        for node in self.lineage() {
            above = node.token.get();
            if above.is_some() {
                break;
            }
            path.push(node);
        }
        for node in path.into_iter().rev() {
            above = Some(node.make_token(above)?);
        }
        above
    }

    /// Invariant 4: looked for an outcome and made the token in one critical section.
    fn make_token(
        self: &Arc<Node>,
        above: Option<&CancellationToken>,
    ) -> Option<&CancellationToken> {
        let mut second_parent = None;
        let above = match self.extra() {
            Some(Extra::Merge(merge)) => {
                second_parent = Some(merge.direct[1].token()?);
                Some(merge.direct[0].token()?)
            }
            _ => above,
        };
        // Made ahead of the lock: on a lost race it goes outside of it again.
        let mut watch = second_parent.map(|token| Box::pin(token.clone().cancelled_owned()));
        let waker = second_parent.map(|_| self.waker(None));
        let mut is_over = false;
        let token = {
            let mut state = self.state.lock();
            if state.outcome().is_some() {
                return None;
            }
            let token = self.token.get_or_init(|| {
                above.map_or_else(CancellationToken::new, CancellationToken::child_token)
            });
            // Asked for only where needed: it makes room on the heap, which few nodes need.
            if let Some(waker) = &waker {
                if let Some(extra) = state.extra() {
                    is_over = start_watch(&mut extra.merge_watch, &mut watch, waker);
                }
            }
            token
        };
        if is_over {
            self.relay();
        }
        Some(token)
    }

    /// The token, with a timer for the deadline; `None` when the node ended.
    pub(crate) fn armed_token(self: &Arc<Node>) -> Option<&CancellationToken> {
        self.arm(None).then(|| self.token()).flatten()
    }

    /// Sees to it that somebody is woken at the deadline, at the place of the caller: its
    /// runtime, or the helper thread. Returns false when the deadline has passed.
    ///
    /// `seen`: what the clock said in this poll, if it was read already.
    pub(crate) fn arm(self: &Arc<Node>, seen: Option<u64>) -> bool {
        if self.deadline == NEVER {
            return true;
        }
        let place = timer::place();
        let owner = self.deadline_owner();
        owner.armed.load() == place || owner.arm_at(place, seen.unwrap_or_else(clock::now))
    }

    /// The node that holds the timers for this node's deadline: the one that set it, or the
    /// merge that inherited it.
    fn deadline_owner(self: &Arc<Node>) -> &Arc<Node> {
        self.lineage()
            .find(|node| node.is_deadline() || matches!(node.extra(), Some(Extra::Merge(_))))
            .unwrap_or(self)
    }

    #[cold]
    fn arm_at(self: &Arc<Node>, place: timer::Place, now: u64) -> bool {
        if now >= self.deadline {
            return false;
        }
        // Armed ahead of the lock, since a runtime is foreign code: an alarm that is faster than
        // the next lines finds no timer, and either ends this node or arms the helper.
        let keeper = match timer::may_stall() {
            true => HELPER,
            false => place,
        };
        let waker = self.waker(Some(place));
        let Some(timer) = Timer::arm(keeper, self.deadline, &waker) else {
            return false;
        };
        let mut spare = Some((place, timer));
        let mut state = self.state.lock();
        let Some(extra) = state.extra() else {
            drop(state);
            return false;
        };
        extra.add_timer(&mut spare);
        self.armed.store(place);
        drop(state);
        // Invariant 3: of two that armed at once, the second's timer goes here.
        drop(spare);
        true
    }

    /// A timer of ours was woken: at the deadline, or because its runtime shuts down. A timer
    /// that was woken is never polled again.
    fn alarm(self: &Arc<Node>, place: timer::Place) {
        let timer = {
            let mut state = self.state.lock();
            self.armed.replace(place, 0);
            state.busy().and_then(|extra| extra.take_timer(place))
        };
        drop(timer);
        // One that was lost with its runtime is armed anew: callbacks and foreign tokens wait without
        // polling, so somebody has to go on counting.
        if self.is_ended() || !self.arm_at(HELPER, clock::now()) {
            self.relay();
        }
    }

    /// Resolves the outcome and runs the callbacks that a reader left.
    pub(super) fn relay(self: &Arc<Node>) {
        let node = Arc::clone(self);
        match foreign::is_asking() {
            true => defer(move || node.relay_now()),
            false => foreign::nested(move || node.relay_now()),
        }
    }

    fn relay_now(self: &Arc<Node>) {
        if self.settled(false).is_ok() {
            return;
        }
        let extra = self.state.lock().take_ended();
        if let Some(extra) = extra {
            self.run(*extra);
        }
    }

    /// Wakes this node's relay, or rings the timers at `place`.
    pub(super) fn waker(self: &Arc<Node>, place: Option<timer::Place>) -> Waker {
        let node = Arc::downgrade(self);
        Waker::from(Arc::new(Wakeup { node, place }))
    }

    /// The outcome of a node whose token is cancelled, or that refused to make one.
    pub(crate) fn ended_outcome(&self) -> Cancelled {
        match self.outcome() {
            Some(cancelled) => cancelled,
            // A deadline may pass for one clock and not for another; both see the outcome.
            None => {
                unreachable!("invariant 2: a token was cancelled before its outcome was stored")
            }
        }
    }
}

/// Moves `watch` into `slot` and polls it, unless the slot is taken; then `watch` stays, to be
/// dropped by the caller outside the lock. Returns whether the token is cancelled already.
///
/// A future of our own with a waker of our own: that may be polled under a lock.
pub(super) fn start_watch(slot: &mut Watch, watch: &mut Watch, waker: &Waker) -> bool {
    if slot.is_some() {
        return false;
    }
    std::mem::swap(slot, watch);
    let mut cx = TaskContext::from_waker(waker);
    slot.as_mut()
        .is_some_and(|watch| watch.as_mut().poll(&mut cx).is_ready())
}

/// Holds its node weakly: waiting keeps nothing alive. Each place has a waker of its own.
struct Wakeup {
    node: Weak<Node>,
    place: Option<timer::Place>,
}

impl Wake for Wakeup {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let Some(node) = self.node.upgrade() else {
            return;
        };
        match self.place {
            Some(place) => node.alarm(place),
            None => node.relay(),
        }
    }
}
