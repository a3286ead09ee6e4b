//! Where a walk is.

use crate::cx::Cx;

/// The walk: where it is, and what the nodes around said.
pub(super) struct Walk<'a> {
    /// What the rules see.
    pub(super) cx: Cx<'a>,
    /// The call that the `.await` around it waits for, by address.
    pub(super) awaited: Option<usize>,
    /// Whether the signatures here are a trait's.
    pub(super) in_trait_impl: bool,
    /// Whether functions here are the file's own, not those of a nested module.
    pub(super) at_crate_root: bool,
    /// Contexts whose branch of a `select!` breaks out of the loop around it.
    pub(super) ended_by_break: Vec<String>,
}

impl Walk<'_> {
    /// Runs `body` with a part of the state changed, and puts it back.
    pub(super) fn within<T: Copy>(
        &mut self,
        part: fn(&mut Self) -> &mut T,
        value: T,
        body: impl FnOnce(&mut Self),
    ) {
        let before = std::mem::replace(part(self), value);
        body(self);
        *part(self) = before;
    }
}
