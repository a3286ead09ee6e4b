//! Asking whether a node has ended: a walk upwards that reads flags, and takes no lock.

use super::tree::{ENDED, Extra, HANGING, LIVE, Node};
use crate::sync::CancellationToken;
use crate::sync::clock::{self, NEVER};

impl Node {
    /// Whether this node or an ancestor holds an outcome. Looks at no clock.
    #[inline]
    pub(crate) fn is_ended(&self) -> bool {
        let mut node = self;
        loop {
            let flag = node.flag.load();
            if flag != LIVE {
                return (flag > HANGING && std::ptr::eq(node, self)) || self.is_ended_at(node);
            }
            match &node.parent {
                Some(parent) => node = parent,
                None => return false,
            }
        }
    }

    /// Whether `above`, which is not live or hangs on something, has ended. Leaves a hint on the
    /// nodes below it, if so: chains then cost one step from below.
    #[cold]
    #[inline(never)]
    fn is_ended_at(&self, above: &Node) -> bool {
        let is_hanging = above.flag.load() == HANGING;
        let has_ended = match above.extra() {
            _ if !is_hanging => true,
            Some(Extra::Merge(merge)) => merge.chains().iter().any(|chain| chain.chain_is_ended()),
            _ => above.foreign_is_cancelled(),
        };
        if has_ended {
            for node in self.chain().take_while(|node| !std::ptr::eq(*node, above)) {
                node.flag.replace(LIVE, ENDED);
            }
            if is_hanging {
                above.flag.replace(HANGING, ENDED);
            }
        }
        has_ended
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

    /// Whether this chain ended, its top's merge not regarded: that is in the list already.
    pub(crate) fn chain_is_ended(&self) -> bool {
        let is_ended = |node: &Node| {
            node.flag.load() > HANGING
                || (matches!(node.extra(), Some(Extra::Foreign)) && node.foreign_is_cancelled())
        };
        self.chain().any(is_ended)
    }

    pub(super) fn foreign_is_cancelled(&self) -> bool {
        self.token
            .get()
            .is_some_and(CancellationToken::is_cancelled)
    }
}
