//! PostgreSQL through deadpool-postgres: the thirteen rules of the protocol, and what they are for.

mod alone;
mod copy;
mod drops;
mod fence;
mod frozen;
mod proxy;
mod rules;
mod support;
mod transactions;
mod ways;
