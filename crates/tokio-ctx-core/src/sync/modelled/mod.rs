//! The back end of model checkers: `--cfg loom` and `--cfg shuttle`.
//!
//! What is checked is this crate's protocols over a stand-in for the token and over a clock
//! that moves when a model moves it. Arc and Weak stay std's.

pub(crate) mod slot;
pub(crate) mod timer;
pub(crate) mod token;

use super::lock;
