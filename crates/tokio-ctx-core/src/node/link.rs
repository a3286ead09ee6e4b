//! The upper ends of chains: what a node without a parent hangs on.

use std::any::Any;
use std::sync::{Arc, Weak};

use super::{ENDED, HANGING, Node};
use crate::sync::CancellationToken;

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
    /// The direct nodes of this merge and of every merge above it, each once, oldest first:
    /// walked instead of a recursion that would double at each merge (invariant 8).
    chains: Box<[Arc<Node>]>,
}

impl Merge {
    pub(super) fn new(one: &Arc<Node>, other: &Arc<Node>) -> Merge {
        let mut chains: Vec<Arc<Node>> = Vec::new();
        let mut add = |node: &Arc<Node>| {
            if !chains.iter().any(|known| Arc::ptr_eq(known, node)) {
                chains.push(Arc::clone(node));
            }
        };
        for direct in [one, other] {
            if let Root::Merge(above) = direct.top().root() {
                above.chains.iter().for_each(&mut add);
            }
        }
        add(one);
        add(other);
        Merge {
            direct: [Arc::clone(one), Arc::clone(other)],
            chains: chains.into_boxed_slice(),
        }
    }

    pub(super) fn chains(&self) -> &[Arc<Node>] {
        &self.chains
    }

    /// Hands over all it holds, so that it can be dropped without recursion.
    pub(super) fn unlink(self, pending: &mut Vec<Arc<Node>>) {
        pending.extend(self.chains.into_vec());
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
    fn chain_is_ended(&self) -> bool {
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
