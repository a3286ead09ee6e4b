//! The protocols that models explore: which tasks are still inside. This module
//! knows no context.

mod count;
pub(crate) mod ledger;
