//! The futures and streams of this crate, by name.

mod done;
mod ext;
mod run;

pub use self::done::{Done, DoneOwned};
pub use self::ext::{ContextExt, StreamContextExt, UntilDone};
pub use self::run::Run;
