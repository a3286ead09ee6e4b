//! Asking whether a node has ended: a walk upwards that reads flags, and takes no lock.

use super::tree::{ENDED, HANGING, LIVE, Node, Root};
use crate::sync::CancellationToken;
use crate::sync::clock::{self, NEVER};

impl Node {
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

    /// Whether this node ended, its deadline included. Resolves what it finds by the clock, so
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
            node.flag.replace(LIVE, ENDED);
            match &node.parent {
                Some(parent) => node = parent,
                None => break,
            }
        }
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
            top.flag.replace(HANGING, ENDED);
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
