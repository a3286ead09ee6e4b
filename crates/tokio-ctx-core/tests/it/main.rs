//! The promises of `Context`, one module per promise; test names are the promises' words.

#![cfg(not(any(loom, shuttle)))]

mod support;

mod budget;
mod cancel;
mod cause;
mod deadline;
mod detach;
mod display;
mod errors;
mod foreign;
mod futures;
mod hostile;
mod interrupt;
mod limits;
mod merge;
mod on_cancel;
mod owner;
mod parity;
mod reentrancy;
mod release;
mod rules;
mod runtimes;
mod stress;
mod token;
mod values;
