//! The protocols that models explore: which tasks are still inside, and which may start. This
//! module knows no context.

mod count;
pub(crate) mod ledger;
pub(crate) mod slots;
