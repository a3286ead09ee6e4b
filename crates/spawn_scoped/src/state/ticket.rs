//! The units of a ledger's count.

use std::sync::Arc;

use crate::foreign::wake;
use crate::kernel::ledger::Waiter;
use crate::state::shared::{Shared, Ticket};

impl Ticket {
    /// The one that is counted from the start.
    pub(crate) fn owed(shared: &Arc<Shared>) -> Ticket {
        Ticket(Some(shared.clone()))
    }

    /// One more. The caller knows that one is being held.
    #[inline]
    pub(crate) fn from_inside(shared: &Arc<Shared>) -> Ticket {
        shared.ledger.enter_from_inside();
        Ticket(Some(shared.clone()))
    }

    /// One more, unless the last one has left.
    #[inline]
    pub(crate) fn enter(shared: &Arc<Shared>) -> Option<Ticket> {
        shared.ledger.enter().then(|| Ticket(Some(shared.clone())))
    }

    /// The scope it is a ticket of.
    #[inline]
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        self.0.as_ref().expect("it was not given back")
    }

    #[inline]
    pub(crate) fn is_held(&self) -> bool {
        self.0.is_some()
    }

    #[cold]
    #[inline(never)]
    fn give_back_late(&mut self) {
        self.give_back();
    }

    /// Before it is dropped.
    #[inline]
    pub(crate) fn give_back(&mut self) {
        if let Some(shared) = self.0.take() {
            match shared.ledger.leave() {
                Waiter::None => {}
                waiter => tell_upwards(shared, waiter),
            }
        }
    }
}

impl Drop for Ticket {
    #[inline]
    fn drop(&mut self) {
        // Tasks give theirs back before, and this is in the drop of each.
        if self.is_held() {
            self.give_back_late();
        }
    }
}

/// If there is a waiter, the last ticket has left `scope`: wakes the waiter, or gives back the
/// ticket that it is.
///
/// In a loop rather than a recursion: the last ticket of a scope that was
/// handed over gives back a ticket of the next, and so on upwards.
#[cold]
#[inline(never)]
fn tell_upwards(mut scope: Arc<Shared>, mut waiter: Waiter<Ticket>) {
    while let Waiter::Parent(mut ticket) = waiter {
        scope.end_adoption();
        ticket.shared().forget_below();
        let Some(next) = ticket.0.take() else { return };
        scope = next;
        waiter = scope.ledger.leave();
    }
    if let Waiter::Wake(waker) = waiter {
        wake(Some(waker));
    }
}
