//! What waits for the tasks of a dropped scope: the nearest open enclosing scope, or the
//! process-wide root.

use std::sync::{Arc, Weak};

use tokio_ctx_core::{Context, owner};

use crate::state::shared::Ticket;
use crate::state::shared::{Shared, here};
use crate::sync::{Mutex, global};

/// A root is a row of scopes: each join closes the current one and waits for
/// it, while the next takes what comes meanwhile.
pub(crate) struct Current {
    /// The current one, and what keeps it open.
    pub(crate) ticket: Ticket,
    /// The scope that a join waits for just now.
    pub(crate) closing: Weak<Shared>,
}

global! {
    static CURRENT: Mutex<Current> = Mutex::new(open());
}

pub(crate) fn open() -> Current {
    let shared = Shared::open(&Context::background(), here(), None, None, |_, _, _| false);
    Current {
        ticket: Ticket::owed(&shared),
        closing: Weak::new(),
    }
}

/// A ticket of the root.
pub(crate) fn enter() -> Ticket {
    Ticket::from_inside(CURRENT.lock().ticket.shared())
}

/// The scope that takes what comes now.
pub(crate) fn current() -> Arc<Shared> {
    CURRENT.lock().ticket.shared().clone()
}

/// The scope that waits for the tasks of one that was dropped under `parent`: the
/// nearest scope around it that is still open, or else the process-wide root.
pub(crate) fn adopter(parent: &Context) -> Ticket {
    owner::enclosing(parent)
        .filter_map(|owner| owner.downcast::<Shared>().ok())
        .find_map(|scope| Ticket::enter(&scope))
        .unwrap_or_else(enter)
}

/// Makes the scope of `ticket` wait for the tasks of `orphan`.
pub(crate) fn give_to(ticket: Ticket, orphan: &Arc<Shared>) {
    let adopter = ticket.shared().clone();
    adopter.add_below(orphan);
    let back = orphan.ledger.hand_over(ticket);
    drop(back);
    // The adopter's grace may be over already; its flag is set before it looks
    // for scopes below, and we were below before we look at the flag.
    if adopter.ledger.is_aborting() {
        orphan.abort_all();
    }
}

/// For the face of the root; nothing foreign may run in `f`.
pub(crate) fn with_current<R>(f: impl FnOnce(&mut Current) -> R) -> R {
    f(&mut CURRENT.lock())
}
