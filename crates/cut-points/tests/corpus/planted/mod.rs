//! Programs with a fault each.

mod accounts;
mod cancelled;
mod messages;
mod protocol;
mod tasks;

use crate::Planted;

pub(crate) fn all() -> Vec<Planted> {
    let mut all = messages::programs();
    all.extend(protocol::programs());
    all.extend(accounts::programs());
    all.extend(tasks::programs());
    all.extend(cancelled::programs());
    all
}
