//! The works: each group holds rivals that do the same.
//!
//! How "the same" was checked is said at each group. What a rival cannot do is left out on
//! our side too, or said.

mod chains;
mod lifetimes;
mod scopes;
mod threads;
mod values;

pub(crate) use self::chains::{chain, token_chain};
pub(crate) use self::scopes::{Flavour, bare, join_set, scoped};
pub(crate) use self::threads::together;
pub(crate) use self::values::{ABSENT, absent_among, chain_of_values, look_up_first};

use crate::go::Go;
use crate::harness::Group;
use crate::service;

/// All groups, made one at a time: a group's trees and runtimes go before the next begins.
pub(crate) fn groups<'a>(go: &'a Go) -> Vec<Box<dyn FnOnce() -> Group<'a> + 'a>> {
    let mut groups: Vec<Box<dyn FnOnce() -> Group<'a> + 'a>> = vec![
        Box::new(|| lifetimes::derive(go)),
        Box::new(|| lifetimes::timeout(go)),
        Box::new(lifetimes::ask),
        Box::new(lifetimes::ask_together),
        Box::new(lifetimes::wait),
        Box::new(lifetimes::first_wait),
        Box::new(lifetimes::select),
        Box::new(lifetimes::select_random),
        Box::new(|| values::add(go)),
        Box::new(|| values::absent(go)),
        Box::new(|| values::present(go)),
    ];
    for (depth, work) in [(10, "chain10"), (100, "chain100"), (1000, "chain1000")] {
        groups.push(Box::new(move || chains::against_go(go, depth, work)));
        groups.push(Box::new(move || chains::against_token(depth)));
    }
    groups.push(Box::new(|| threads::common_parent(go)));
    groups.push(Box::new(threads::derive_together));
    for flavour in Flavour::ALL {
        groups.push(Box::new(move || scopes::many(go, flavour)));
        groups.push(Box::new(move || scopes::many_yielding(go, flavour)));
        groups.push(Box::new(move || scopes::few(go, flavour)));
        groups.push(Box::new(move || scopes::cancelled(go, flavour)));
    }
    groups.push(Box::new(service::hello));
    groups.push(Box::new(|| service::throughput(go)));
    groups
}
