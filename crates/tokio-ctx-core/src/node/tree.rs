//! Nodes, what they hang on, and the ways up from them.

use std::any::Any;
use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::{Arc, Weak};

use super::state::State;
use crate::cancelled::{Cancelled, Place, SharedCause};
use crate::sync::clock::NEVER;
use crate::sync::{AtomicFlag, CancellationToken, Mutex, Slot};

/// Neither this node nor an ancestor was seen to have ended.
pub(super) const LIVE: u32 = 0;
/// The same for a node that hangs on something that can end it: a walk has to ask there.
pub(super) const HANGING: u32 = 1;
/// This node or an ancestor holds an outcome: a hint for walks, set by any of them.
pub(super) const ENDED: u32 = 2;
/// This node holds an outcome. Set under the node's lock. A late hint never overwrites it.
pub(super) const RESOLVED: u32 = 3;

/// One lifetime. 88 bytes, so 104 with the header of its `Arc`.
pub(crate) struct Node {
    pub(super) parent: Option<Arc<Node>>,
    pub(crate) made_at: Place,
    pub(crate) extra: Option<Arc<Extra>>,
    /// The effective deadline, [`NEVER`] if there is none: never later than the parent's.
    pub(crate) deadline: u64,
    /// [`LIVE`] or [`HANGING`], then [`ENDED`] or [`RESOLVED`]; it only grows. `Release` on each
    /// change pairs with the `Acquire` of each walk.
    pub(super) flag: AtomicFlag,
    /// The time allowed, at the node that set its deadline itself; [`NEVER`] at others.
    pub(super) after: u64,
    /// Where the newest timer was armed, 0 if nowhere: a hint, set under the lock.
    pub(super) armed: AtomicFlag,
    /// Created by the first waiter, kept for the node's life (invariant 4).
    pub(super) token: Slot<CancellationToken>,
    pub(super) state: Mutex<State>,
}

/// What few nodes have, and none has two of.
pub(crate) enum Extra {
    /// Who owns this node.
    Owner(Owner),
    /// The node exists only for its name, and cannot end.
    Name(Cow<'static, str>),
    /// The cause to report if this node's deadline fires.
    Cause(SharedCause),
    /// A root that nobody can end.
    Todo,
    /// The same, for the owners around a context that dropped its cancellation, nearest first.
    Shield(Box<[Owner]>),
    /// A root that ends with a foreign token, in its token slot. We never cancel that.
    Foreign,
    /// A root that ends with either of two other chains.
    Merge(Merge),
}

/// What owns a node: a scope, a service. Held weakly, a context keeps none of them alive.
pub(crate) type Owner = Weak<dyn Any + Send + Sync>;

/// The upper side of a merged node.
pub(crate) struct Merge {
    /// The two nodes that were merged.
    pub(crate) direct: [Arc<Node>; 2],
    /// Made when somebody first asks, so that a merge of a merge of a merge costs a node each.
    pub(super) chains: Slot<Box<[Arc<Node>]>>,
}

impl Node {
    /// A node that only others can end: by `cancel`, or through its parent.
    #[inline]
    pub(crate) fn child(parent: Option<&Arc<Node>>, made_at: Place) -> Node {
        Node {
            deadline: parent.map_or(NEVER, |parent| parent.deadline),
            parent: parent.cloned(),
            made_at,
            extra: None,
            flag: AtomicFlag::new(LIVE),
            after: NEVER,
            armed: AtomicFlag::new(0),
            token: Slot::new(),
            state: Mutex::new(State::Live),
        }
    }

    /// A node that ends at `deadline`, which is earlier than the parent's; with its cause, which
    /// may have been made ahead for many nodes.
    pub(crate) fn with_deadline(
        parent: Option<&Arc<Node>>,
        deadline: u64,
        after: u64,
        cause: Option<Arc<Extra>>,
        made_at: Place,
    ) -> Node {
        let mut node = Node::child(parent, made_at);
        node.deadline = deadline;
        node.after = after;
        node.extra = cause;
        node
    }

    /// A root that cannot end, with the owners of `node`; `None` if that has none.
    ///
    /// A list, and not a way up to `node`: a shield may be kept for long, and must keep neither
    /// nodes nor the callbacks in them.
    pub(crate) fn shield(node: &Arc<Node>, made_at: Place) -> Option<Node> {
        let owners: Box<[Owner]> = node
            .owners()
            .filter(|owner| owner.strong_count() > 0)
            .cloned()
            .collect();
        let shield = (!owners.is_empty()).then_some(Extra::Shield(owners))?;
        Some(Node::child(None, made_at).with_extra(shield))
    }

    /// A root that ends with a foreign token.
    pub(crate) fn foreign(token: CancellationToken, made_at: Place) -> Node {
        let node = Node::hanging(Extra::Foreign, made_at);
        node.token.get_or_init(|| token);
        node
    }

    /// A root that ends with either of two nodes.
    pub(crate) fn merged(one: &Arc<Node>, other: &Arc<Node>, made_at: Place) -> Node {
        let merge = Merge {
            direct: [Arc::clone(one), Arc::clone(other)],
            chains: Slot::new(),
        };
        let mut node = Node::hanging(Extra::Merge(merge), made_at);
        node.deadline = one.deadline.min(other.deadline);
        node
    }

    /// A root that something else can end.
    fn hanging(on: Extra, made_at: Place) -> Node {
        let mut node = Node::child(None, made_at).with_extra(on);
        node.flag = AtomicFlag::new(HANGING);
        node
    }

    pub(crate) fn with_extra(mut self, extra: Extra) -> Node {
        self.extra = Some(Arc::new(extra));
        self
    }

    #[inline]
    pub(crate) fn extra(&self) -> Option<&Extra> {
        self.extra.as_deref()
    }

    /// The owners of this node and of those above it, nearest first.
    pub(crate) fn owners(self: &Arc<Node>) -> impl Iterator<Item = &Owner> {
        std::iter::successors(Some(self), |node| node.first_parent()).flat_map(|node| {
            match node.extra() {
                Some(Extra::Owner(owner)) => std::slice::from_ref(owner),
                Some(Extra::Shield(owners)) => owners,
                _ => &[],
            }
        })
    }

    /// Whether the node set its own deadline.
    pub(crate) fn is_deadline(&self) -> bool {
        self.after != NEVER
    }

    /// The nodes from this one to its root, borrowed.
    #[inline]
    pub(super) fn chain(&self) -> impl Iterator<Item = &Node> {
        std::iter::successors(Some(self), |node| node.parent.as_deref())
    }

    /// The nodes from this one to its root.
    pub(crate) fn lineage(self: &Arc<Node>) -> impl Iterator<Item = &Arc<Node>> {
        std::iter::successors(Some(self), |node| node.parent.as_ref())
    }

    /// The node above: the parent, or the first of the two that were merged.
    pub(crate) fn first_parent(&self) -> Option<&Arc<Node>> {
        match self.extra() {
            Some(Extra::Merge(merge)) => Some(&merge.direct[0]),
            _ => self.parent.as_ref(),
        }
    }

    /// Whether anything can end this node.
    pub(crate) fn can_end(&self) -> bool {
        let cannot = |node: &Node| {
            let extra = node.extra();
            matches!(extra, Some(Extra::Name(_) | Extra::Todo | Extra::Shield(_)))
        };
        !self.chain().all(cannot)
    }

    /// With the name of this node, or of the nearest ancestor that has one, unless `cancelled` has
    /// one already.
    #[inline]
    pub(super) fn named(&self, cancelled: Cancelled) -> Cancelled {
        let name = self.chain().find_map(|node| match node.extra() {
            Some(Extra::Name(name)) => Some(name),
            _ => None,
        });
        match name {
            Some(name) => cancelled.with_name(name),
            None => cancelled,
        }
    }

    /// The uppermost node of this chain.
    pub(super) fn top(&self) -> &Node {
        self.chain().last().unwrap_or(self)
    }
}

impl Merge {
    /// The direct nodes of this merge and of every merge above it, each once, those above before
    /// those below: walked instead of a recursion that would double at each merge (invariant 8).
    pub(super) fn chains(&self) -> &[Arc<Node>] {
        self.chains.get_or_init(|| {
            let mut chains = Vec::new();
            let mut known = HashSet::new();
            // A node is entered when all above it are: `true` says that they are.
            let mut path: Vec<(&Arc<Node>, bool)> = Vec::new();
            path.extend(self.direct.iter().rev().map(|direct| (direct, false)));
            while let Some((node, is_below)) = path.pop() {
                if is_below {
                    chains.push(Arc::clone(node));
                } else if known.insert(Arc::as_ptr(node)) {
                    path.push((node, true));
                    if let Some(Extra::Merge(above)) = node.top().extra() {
                        path.extend(above.direct.iter().rev().map(|direct| (direct, false)));
                    }
                }
            }
            chains.into_boxed_slice()
        })
    }
}
