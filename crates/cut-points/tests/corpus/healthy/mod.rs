//! Programs without a fault, some of which look as if they had one.

mod accounts;
mod cancelled;
mod messages;
mod protocol;
mod tasks;

use crate::Healthy;

pub(crate) fn all() -> Vec<Healthy> {
    let mut all = messages::programs();
    all.extend(protocol::programs());
    all.extend(accounts::programs());
    all.extend(tasks::programs());
    all.extend(cancelled::programs());
    all
}
