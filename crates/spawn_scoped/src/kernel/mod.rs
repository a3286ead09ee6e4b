//! The protocols that models explore: who is still inside, and who may start. Knows no context.

mod count;
pub(crate) mod ledger;
pub(crate) mod slots;
