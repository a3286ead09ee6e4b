//! The upper ends of chains: what a node without a parent hangs on.

use std::any::Any;
use std::collections::HashSet;
use std::sync::{Arc, Weak};

use super::{ENDED, HANGING, Node};
use crate::sync::{CancellationToken, Slot};

/// What a node without a parent hangs on.
#[derive(Default)]
pub(crate) enum Root {
    /// Nothing.
    #[default]
    None,
    /// Nothing, and nobody can end it.
    Todo,
    /// Nothing: here for the owners around a context that dropped its cancellation, nearest first.
    Shield(Box<[Owner]>),
    /// A token of somebody else's, in the node's token slot. We never cancel that one.
    Foreign,
    /// Two other chains.
    Merge(Merge),
}

/// What owns a node: a scope, a service. Held weakly, a context keeps none of them alive.
pub(crate) type Owner = Weak<dyn Any + Send + Sync>;

/// The upper side of a merged node.
pub(crate) struct Merge {
    /// The two nodes that were merged.
    pub(crate) direct: [Arc<Node>; 2],
    /// Made when somebody first asks, so that a merge of a merge of a merge costs a node each.
    chains: Slot<Box<[Arc<Node>]>>,
}

impl Merge {
    pub(super) fn new(one: &Arc<Node>, other: &Arc<Node>) -> Merge {
        Merge {
            direct: [Arc::clone(one), Arc::clone(other)],
            chains: Slot::new(),
        }
    }

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
                    if let Root::Merge(above) = node.top().root() {
                        path.extend(above.direct.iter().rev().map(|direct| (direct, false)));
                    }
                }
            }
            chains.into_boxed_slice()
        })
    }

    /// Hands over all it holds, so that it can be dropped without recursion.
    pub(super) fn unlink(self, pending: &mut Vec<Arc<Node>>) {
        pending.extend(self.chains.into_inner().into_iter().flatten());
        pending.extend(self.direct);
    }
}

impl Node {
    /// The uppermost node of this chain.
    pub(super) fn top(&self) -> &Node {
        let mut node = self;
        while let Some(parent) = &node.parent {
            node = parent;
        }
        node
    }

    /// Whether what `top`, the uppermost node of this chain, hangs on has ended.
    #[cold]
    #[inline(never)]
    pub(super) fn root_is_ended(&self, top: &Node) -> bool {
        let ended = match top.root() {
            Root::None | Root::Todo | Root::Shield(_) => false,
            Root::Foreign => top.foreign_is_cancelled(),
            Root::Merge(merge) => merge.chains().iter().any(|chain| chain.chain_is_ended()),
        };
        if ended {
            self.hint_up_to(top);
            top.flag.raise(HANGING, ENDED);
        }
        ended
    }

    /// Whether this chain ended, its top's merge not regarded: that is in the list already.
    pub(crate) fn chain_is_ended(&self) -> bool {
        let mut node = self;
        loop {
            if node.flag.load() > HANGING {
                return true;
            }
            match &node.parent {
                Some(parent) => node = parent,
                None => return matches!(node.root(), Root::Foreign) && node.foreign_is_cancelled(),
            }
        }
    }

    pub(super) fn foreign_is_cancelled(&self) -> bool {
        self.token
            .get()
            .is_some_and(CancellationToken::is_cancelled)
    }
}
