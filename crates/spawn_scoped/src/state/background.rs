//! The second ledger of a scope: its tasks do not keep the scope open, and are
//! asked to stop when the others are done.

use std::sync::Arc;

use tokio_ctx_core::{Context, Reason, owner};

use crate::state::shared::{Background, ColdGuard, Shared, Ticket};

impl Background {
    /// A ticket and the context, unless closed.
    pub(crate) fn enter(&self) -> Option<(Ticket, Context)> {
        let (ticket, ctx) = self.open.as_ref()?;
        Some((Ticket::from_inside(ticket.shared()), ctx.clone()))
    }
}

impl Shared {
    /// A ticket of the scope's second ledger, and the context of its tasks, made with the values
    /// of `ctx` by the first; `None` once it no longer takes tasks. Only for those inside the
    /// first ledger: when that is empty, the second is closed for good.
    pub(crate) fn enter_background(
        self: &Arc<Self>,
        _inside: &Ticket,
        ctx: &Context,
    ) -> Option<(Ticket, Context)> {
        let fresh = {
            let cold = self.cold.lock();
            if let Some(background) = &cold.background {
                return background.enter();
            }
            drop(cold);
            // Asked last: the end of the scope does not reach it.
            Shared::open(
                &ctx.without_cancel(),
                self.location,
                self.config.clone(),
                None,
                self.says_cancelled,
            )
        };
        fresh.cold.lock().foreground = Some(Arc::downgrade(self));
        let ticket = Ticket::owed(&fresh);
        let with_values = owner::with_values_of(&fresh.lifetime, ctx);
        let ctx = with_values.unwrap_or_else(|| fresh.context().clone());
        let mut ours = Some(Background {
            shared: fresh,
            open: Some((ticket, ctx)),
        });
        let entered = {
            let mut cold = self.cold.lock();
            let background = match &mut cold.background {
                Some(first) => first,
                none => none.insert(ours.take()?),
            };
            background.enter()
        };
        // Dropped outside the lock, if another thread was faster.
        drop(ours);
        entered
    }

    /// Asks the background tasks to stop and takes no more of them. Returns
    /// their ledger if there is one.
    #[inline]
    pub(crate) fn close_background(&self) -> Option<Arc<Shared>> {
        self.close_if_there(self.cold.lock_if_touched()?)
    }

    #[cold]
    fn close_if_there(&self, mut cold: ColdGuard<'_>) -> Option<Arc<Shared>> {
        let (shared, open) = {
            let background = cold.background.as_mut()?;
            (background.shared.clone(), background.open.take())
        };
        drop(cold);
        // First the flag, then the cancel: a task that answers the cancel
        // already finds that its failures no longer decide.
        shared.cold.lock().failures.enough = true;
        shared.end(owner::cancelled(Reason::ScopeFinished, self.location, None));
        drop(open);
        Some(shared)
    }

    /// The ledger of the background tasks, if there is one.
    pub(crate) fn background(&self) -> Option<Arc<Shared>> {
        let cold = self.cold.lock();
        cold.background
            .as_ref()
            .map(|background| background.shared.clone())
    }
}
