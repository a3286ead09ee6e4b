//! The second ledger of a scope: its tasks do not keep the scope open, and are
//! asked to stop when the others are done.

use std::sync::Arc;

use tokio_ctx::{Reason, owner};

use crate::shared::Shared;
use crate::ticket::Ticket;

/// The background of a scope that has one.
pub(crate) struct Background {
    pub(crate) shared: Arc<Shared>,
    /// Dropped when no more background tasks may start.
    ticket: Option<Ticket>,
}

impl Shared {
    /// A ticket of the scope's second ledger; `None` once it no longer takes
    /// tasks. Only for who is inside the first: when that is empty, the second
    /// is closed for good.
    pub(crate) fn enter_background(self: &Arc<Self>, _inside: &Ticket) -> Option<Ticket> {
        let fresh = {
            let rare = self.rare.lock();
            if let Some(background) = &rare.background {
                return background
                    .ticket
                    .as_ref()
                    .map(|ticket| Ticket::from_inside(ticket.shared()));
            }
            drop(rare);
            Shared::open(self.context(), self.location, self.config.clone(), None)
        };
        fresh.rare.lock().foreground = Some(Arc::downgrade(self));
        let ticket = Ticket::owed(&fresh);
        let mut ours = Some(Background {
            shared: fresh,
            ticket: Some(ticket),
        });
        let entered = {
            let mut rare = self.rare.lock();
            let background = match &mut rare.background {
                Some(first) => first,
                none => none.insert(ours.take()?),
            };
            background
                .ticket
                .as_ref()
                .map(|ticket| Ticket::from_inside(ticket.shared()))
        };
        // Dropped outside the lock, if somebody else was faster.
        drop(ours);
        entered
    }

    /// Asks the background tasks to stop and takes no more of them. Returns
    /// their ledger if there is one.
    pub(crate) fn close_background(&self) -> Option<Arc<Shared>> {
        let (shared, ticket) = {
            let mut rare = self.rare.lock_if_touched()?;
            let background = rare.background.as_mut()?;
            (background.shared.clone(), background.ticket.take())
        };
        // First the flag, then the cancel: a task that answers the cancel
        // already finds that its failures no longer decide.
        shared.rare.lock().failures.enough = true;
        shared.end(owner::cancelled(Reason::ScopeFinished, self.location, None));
        drop(ticket);
        Some(shared)
    }

    /// The ledger of the background tasks, if there is one.
    pub(crate) fn background(&self) -> Option<Arc<Shared>> {
        let rare = self.rare.lock();
        rare.background
            .as_ref()
            .map(|background| background.shared.clone())
    }
}
