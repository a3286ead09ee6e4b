//! The futures of this crate, by name.

mod done;
mod run;

pub use self::done::{Done, DoneOwned};
pub use self::run::Run;
