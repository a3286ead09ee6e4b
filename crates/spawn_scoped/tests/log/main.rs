//! What the crate writes into the log.
//!
//! A binary of its own, whose tests run one at a time: tracing remembers for each line of code
//! whether anybody listens, and a line that is first reached while another test's subscriber
//! is being installed is remembered as unheard.

#![cfg(not(any(loom, shuttle)))]

mod stragglers;
#[path = "../it/support.rs"]
#[expect(dead_code, reason = "shared with `it`, which needs more of it")]
mod support;
mod trace;
mod unheard;
