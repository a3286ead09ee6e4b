//! The kernel of lifetimes: one node per cancellable lifetime, linked to its parent.
//!
//! Invariants, cited where they are kept:
//!
//! 1. **First outcome wins, and never changes.** An outcome is stored once per node, under
//!    the node's lock. `cancel` first walks the ancestors, and stores only where none ended.
//!    Whoever reports an inherited outcome first latches it on every node of the path, top
//!    down, a node with an outcome of its own replacing what is carried.
//! 2. **Outcome before token.** The outcome is stored and the flag published before the
//!    token is cancelled, so whoever wakes finds a cause.
//! 3. **Nothing foreign runs under a lock**: no token is cancelled, no waker woken, no
//!    callback run, and no cause, callback or timer dropped. What the kernel polls under a
//!    lock are futures of its own, with wakers of its own.
//! 4. **A waiter cannot miss the cancel.** A node's token is made in the critical section
//!    that finds it without an outcome; afterwards a cancel finds the token.
//! 5. **Cancelling never blocks, spawns or panics**, and needs no runtime. What is foreign is
//!    called and dropped through [`foreign`](crate::foreign).
//! 6. **Dropping is iterative.**
//! 7. **Asking runs no callback.** `is_done` and `outcome` may latch and wake.
//! 8. **A merge walks a flat list without duplicates.**
//!
//! Lock order: at most one node at a time; a node before the inside of a token or of a timer.
//! The parent keeps no list of its children: what goes down goes through the tokens.

mod callback;
mod latch;
mod link;
mod state;
mod wait;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use crate::cancelled::{Cancelled, Facts, Place, Reason, SharedCause};
use crate::foreign;
use crate::sync::clock::{self, NEVER};
use crate::sync::{AtomicFlag, AtomicPlace, CancellationToken, Mutex, Slot, Tracked};

pub(crate) use self::callback::Registration;
pub(crate) use self::link::{Merge, Owner, Root};
use self::state::State;

/// Nobody was seen to have ended this node or an ancestor.
const LIVE: u8 = 0;
/// The same for a node that hangs on something that can end it: a walk has to ask there.
const HANGING: u8 = 1;
/// This node or an ancestor holds an outcome: a hint for walks, set by any of them.
const ENDED: u8 = 2;
/// This node holds an outcome. Set under the node's lock. A late hint never overwrites it.
const LATCHED: u8 = 3;

/// One lifetime. 88 bytes, so 104 with the header of its `Arc`.
pub(crate) struct Node {
    parent: Option<Arc<Node>>,
    made_at: Place,
    rare: Option<Box<Rare>>,
    /// The effective deadline, [`NEVER`] if there is none: never later than the parent's.
    deadline: u64,
    /// [`LIVE`] or [`HANGING`], then [`ENDED`] or [`LATCHED`]; it only grows. `Release` on each
    /// change pairs with the `Acquire` of each walk.
    flag: AtomicFlag,
    /// The time allowed, at the node that set its deadline itself; [`NEVER`] at others.
    after: u64,
    /// Where the newest timer was armed, 0 if nowhere: a hint, set under the lock.
    armed: AtomicPlace,
    /// Made when somebody first waits, kept for the node's life (invariant 4).
    token: Slot<CancellationToken>,
    state: Mutex<State>,
    _tracked: Tracked,
}

/// What few nodes have, and none has two of.
pub(crate) enum Rare {
    Root(Root),
    /// Who owns this node.
    Owner(Owner),
    /// The node is here for its name alone, and nobody can end it.
    Name(Cow<'static, str>),
    /// The cause to report if this node's deadline fires.
    Cause(SharedCause),
}

/// How a node came to be, for people.
pub(crate) enum Kind<'a> {
    Cancel,
    Deadline,
    Todo,
    Shield,
    Foreign,
    Named(&'a str),
    Scope,
    Merge(&'a Arc<Node>),
}

impl Node {
    /// A node that only others can end: by `cancel`, or through its parent.
    #[inline]
    pub(crate) fn child(parent: Option<&Arc<Node>>, made_at: Place) -> Node {
        Node {
            deadline: parent.map_or(NEVER, |parent| parent.deadline),
            parent: parent.cloned(),
            made_at,
            rare: None,
            flag: AtomicFlag::new(LIVE),
            after: NEVER,
            armed: AtomicPlace::new(0),
            token: Slot::new(),
            state: Mutex::new(State::Live),
            _tracked: Tracked::new(),
        }
    }

    /// A child that holds a weak pointer to `owner`.
    #[inline]
    pub(crate) fn owned(parent: Option<&Arc<Node>>, made_at: Place, owner: Owner) -> Node {
        Node::child(parent, made_at).with_rare(Rare::Owner(owner))
    }

    /// A node that ends at `deadline`, which is earlier than the parent's.
    pub(crate) fn with_deadline(
        parent: Option<&Arc<Node>>,
        deadline: u64,
        after: u64,
        made_at: Place,
    ) -> Node {
        let mut node = Node::child(parent, made_at);
        node.deadline = deadline;
        node.after = after;
        node
    }

    /// A root that nobody can end.
    pub(crate) fn todo(made_at: Place) -> Node {
        Node::child(None, made_at).with_rare(Rare::Root(Root::Todo))
    }

    /// A root that nobody can end, with the owners of `node`; `None` if that has none.
    ///
    /// A list, and not a way up to `node`: a shield may be kept for long, and must keep neither
    /// nodes nor the callbacks in them.
    pub(crate) fn shield(node: &Arc<Node>, made_at: Place) -> Option<Node> {
        let owners: Box<[Owner]> = node
            .owners()
            .filter(|owner| owner.strong_count() > 0)
            .cloned()
            .collect();
        let root = (!owners.is_empty()).then_some(Root::Shield(owners))?;
        Some(Node::child(None, made_at).with_rare(Rare::Root(root)))
    }

    /// A root that ends with a token of somebody else's.
    pub(crate) fn foreign(token: CancellationToken, made_at: Place) -> Node {
        let node = Node::hanging(Root::Foreign, made_at);
        let _ = node.token.set(token);
        node
    }

    /// A root that ends with either of two nodes.
    pub(crate) fn merged(one: &Arc<Node>, other: &Arc<Node>, made_at: Place) -> Node {
        let mut node = Node::hanging(Root::Merge(Merge::new(one, other)), made_at);
        node.deadline = one.deadline.min(other.deadline);
        node
    }

    /// A root that something else can end.
    fn hanging(root: Root, made_at: Place) -> Node {
        let mut node = Node::child(None, made_at).with_rare(Rare::Root(root));
        node.flag = AtomicFlag::new(HANGING);
        node
    }

    pub(crate) fn with_rare(mut self, rare: Rare) -> Node {
        self.rare = Some(Box::new(rare));
        self
    }

    pub(crate) fn deadline(&self) -> u64 {
        self.deadline
    }

    /// The time allowed, if the node set its own deadline.
    fn after(&self) -> Option<Duration> {
        self.is_deadline().then(|| Duration::from_nanos(self.after))
    }

    pub(crate) fn made_at(&self) -> Place {
        self.made_at
    }

    #[inline]
    fn rare(&self) -> Option<&Rare> {
        self.rare.as_deref()
    }

    fn root(&self) -> &Root {
        match self.rare() {
            Some(Rare::Root(root)) => root,
            _ => &Root::None,
        }
    }

    /// The cause to report if this node's deadline fires.
    fn deadline_cause(&self) -> Option<&SharedCause> {
        match self.rare() {
            Some(Rare::Cause(cause)) => Some(cause),
            _ => None,
        }
    }

    /// The owners of this node and of those above it, nearest first.
    pub(crate) fn owners(self: &Arc<Node>) -> impl Iterator<Item = &Owner> {
        std::iter::successors(Some(self), |node| node.first_parent()).flat_map(|node| {
            match node.rare() {
                Some(Rare::Owner(owner)) => std::slice::from_ref(owner),
                Some(Rare::Root(Root::Shield(owners))) => owners,
                _ => &[],
            }
        })
    }

    /// Whether the node set its own deadline.
    fn is_deadline(&self) -> bool {
        self.after != NEVER
    }

    pub(crate) fn kind(&self) -> Kind<'_> {
        match self.rare() {
            Some(Rare::Root(Root::Todo)) => Kind::Todo,
            Some(Rare::Root(Root::Shield(_))) => Kind::Shield,
            Some(Rare::Root(Root::Foreign)) => Kind::Foreign,
            Some(Rare::Root(Root::Merge(merge))) => Kind::Merge(&merge.direct[1]),
            Some(Rare::Name(name)) => Kind::Named(name),
            Some(Rare::Owner(_)) => Kind::Scope,
            Some(Rare::Root(Root::None) | Rare::Cause(_)) | None if self.is_deadline() => {
                Kind::Deadline
            }
            Some(Rare::Root(Root::None) | Rare::Cause(_)) | None => Kind::Cancel,
        }
    }

    /// The nodes from this one to its root.
    pub(crate) fn lineage(self: &Arc<Node>) -> impl Iterator<Item = &Arc<Node>> {
        std::iter::successors(Some(self), |node| node.parent.as_ref())
    }

    /// The node above: the parent, or the first of the two that were merged.
    pub(crate) fn first_parent(&self) -> Option<&Arc<Node>> {
        match self.root() {
            Root::Merge(merge) => Some(&merge.direct[0]),
            _ => self.parent.as_ref(),
        }
    }

    /// Whether anything can end this node.
    pub(crate) fn can_end(self: &Arc<Node>) -> bool {
        self.lineage().any(|node| {
            !matches!(
                node.rare(),
                Some(Rare::Name(_) | Rare::Root(Root::Todo | Root::Shield(_)))
            )
        })
    }

    /// The name of this node, or of the nearest ancestor that has one.
    fn name(&self) -> Option<&Cow<'static, str>> {
        std::iter::successors(Some(self), |node| node.parent.as_deref()).find_map(|node| match node
            .rare()
        {
            Some(Rare::Name(name)) => Some(name),
            _ => None,
        })
    }

    /// Whether this node or an ancestor holds an outcome. Looks at no clock.
    #[inline]
    pub(crate) fn is_ended(&self) -> bool {
        let flag = self.flag.load();
        if flag != LIVE {
            return flag > HANGING || self.root_is_ended(self);
        }
        let mut node = self;
        while let Some(parent) = &node.parent {
            if parent.flag.load() != LIVE {
                return self.is_ended_at(parent);
            }
            node = parent;
        }
        false
    }

    /// Whether `above`, which is not live or hangs on something, has ended.
    #[cold]
    #[inline(never)]
    fn is_ended_at(&self, above: &Node) -> bool {
        if above.flag.load() == HANGING {
            return self.root_is_ended(above);
        }
        self.hint_up_to(above);
        true
    }

    /// Whether this node ended, its deadline included. Latches what it finds by the clock, so
    /// that threads whose clocks differ agree from then on.
    #[inline]
    pub(crate) fn is_done(&self) -> bool {
        self.is_ended() || (self.deadline != NEVER && self.is_overdue())
    }

    #[cold]
    #[inline(never)]
    fn is_overdue(&self) -> bool {
        clock::now() >= self.deadline && self.outcome().is_some()
    }

    /// Leaves a hint on the nodes below `ended`: chains then cost one step from below.
    fn hint_up_to(&self, ended: &Node) {
        let mut node = self;
        while !std::ptr::eq(node, ended) {
            node.flag.raise(LIVE, ENDED);
            match &node.parent {
                Some(parent) => node = parent,
                None => break,
            }
        }
    }

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

    fn end(self: &Arc<Node>, cancelled: Cancelled) -> bool {
        let ended = {
            let mut state = self.state.lock();
            let ended = state.end(cancelled);
            if ended.is_ok() {
                self.flag.store(LATCHED);
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
            // Invariant 1: somebody else's outcome is there. Invariant 3: dropped here.
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
        if matches!(self.rare(), Some(Rare::Root(_) | Rare::Cause(_))) {
            self.unlink_upwards();
        } else if let Some(above) = self.parent.take().and_then(Arc::into_inner) {
            // Mostly there is no parent, or somebody else holds it too.
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
        match self.rare.take().map(|rare| *rare) {
            Some(Rare::Root(Root::Merge(merge))) => merge.unlink(pending),
            Some(Rare::Cause(cause)) => foreign::discard(cause),
            _ => {}
        }
        self.parent.take()
    }
}
