//! The ledger's protocol, explored by a model checker, through the public API.
//!
//! Each model says how many executions must at least be explored, because a hole in the seam to
//! the platform shows as a model that explores one, and which outcomes must be seen, because a
//! race in which only one side ever wins is not the race that was meant.
#![cfg(any(loom, shuttle))]

mod models {
    mod abort;
    mod adopt;
    mod alone;
    mod begin;
    mod body;
    mod defer;
    mod failure;
    mod harness;
    mod job;
    mod join;
    #[cfg(all(shuttle, not(loom)))]
    mod large;
    mod limit;
    mod race;
    mod start;
}
