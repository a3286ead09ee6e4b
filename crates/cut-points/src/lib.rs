#![doc = include_str!("../README.md")]
#![doc = include_str!("limits.md")]
#![allow(
    clippy::test_attr_in_doctest,
    reason = "a test of this crate runs the one of the README"
)]

mod call;
mod engine;
mod environment;
mod explore;
mod fault;
mod name;
mod panics;
mod proxy;
mod report;
mod run;
mod sample;
mod settings;
mod signal;
mod world;

pub use call::Ending;
pub use fault::{Faulty, fault_here};
pub use name::{Frame, Place};
pub use proxy::DelayProxy;
pub use report::{Cut, Fault, FaultKind, Outcome, Report};
pub use signal::Signal;
pub use world::{World, world};
