//! The kernel's protocols, explored by a model checker, through the public API.
//!
//! Run with `cargo xtask loom`; `docs/loom.md` explains how to write one. Each model says how
//! many executions must at least be explored, because a hole in the seam to the platform shows
//! as a model that explores one, and which outcomes must be seen, because a race in which only
//! one side ever wins is not the race that was meant. `cargo xtask loom --mutants` plants a
//! fault for each of them.
#![cfg(any(loom, shuttle))]

mod models {
    mod cancel;
    mod deadline;
    mod harness;
    mod history;
    mod interrupt;
    #[cfg(all(shuttle, not(loom)))]
    mod large;
    mod litmus;
    mod merge;
    mod on_cancel;
    mod wait;
}
