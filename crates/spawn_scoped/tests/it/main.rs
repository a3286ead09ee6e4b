//! What the crate promises, one module per promise.

#![cfg(not(any(loom, shuttle)))]

mod adopt;
mod alone;
mod anywhere;
mod body_ends;
mod defer;
mod drain;
mod erased;
mod every_function;
mod face;
mod failure;
mod hostile;
mod isolated;
mod join;
mod kinds;
mod limit;
mod memory;
mod panic;
mod parity;
mod policy;
mod promises;
mod queue;
mod real_error;
mod settings;
mod start;
mod stress;
mod support;
mod tree;
mod unfinished;

#[path = "../../examples/soak/trees/mod.rs"]
mod soak_trees;
