//! Where snapshots find the scopes that wait.

use std::sync::Arc;

use tokio_ctx_core::{Context, owner};

use crate::state::shared::{Known, Shared};
use crate::sync::{Mutex, global};

global! {
    /// The scopes that have no scope around them.
    static TOP: Mutex<Known> = Mutex::new(Known::new());
}

/// The scopes that have no scope around them.
pub(crate) fn outermost() -> Vec<Arc<Shared>> {
    TOP.lock().alive().collect()
}

fn around(parent: &Context) -> Option<Arc<Shared>> {
    owner::enclosing(parent).find_map(|owner| owner.downcast::<Shared>().ok())
}

impl Shared {
    /// Puts this scope into the tree, below the scope around it. Called when a
    /// scope really has to wait: one that never waits costs nothing here.
    pub(crate) fn show_in_tree(self: &Arc<Self>, parent: &Context) {
        match around(parent) {
            Some(around) => around.add_below(self),
            None => TOP.lock().add(self),
        }
    }

    /// It has ended.
    pub(crate) fn leave_tree(&self, parent: &Context) {
        match around(parent) {
            Some(around) => around.forget_below(),
            None => TOP.lock().forget(),
        }
    }
}
