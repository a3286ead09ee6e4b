#![doc = include_str!("docs/crate.md")]
#![doc = include_str!("docs/adopt.svg")]
//!
//! # Tasks are `'static`, the body may borrow
//!
#![doc = include_str!("docs/tasks.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(any(
    all(loom, not(feature = "loom")),
    all(shuttle, not(feature = "shuttle"))
))]
compile_error!(
    "this build has `--cfg loom` or `--cfg shuttle`: enable the feature of the same name in \
     your dependency on tokio-ctx, under `[target.'cfg(loom)'.dependencies]`"
);

mod data;
mod face;
mod foreign;
mod kernel;
#[cfg(any(loom, shuttle))]
pub mod model;
mod rt;
mod state;
mod sync;
mod task;
#[doc(hidden)]
pub mod testing;
mod watch;

pub use data::failure::TaskFailure;
pub use data::task_snapshot::TaskSnapshot;
pub use face::defer::Deferred;
pub use face::options::{ScopeOptions, ScopeReport};
pub use face::policy;
pub use face::root::{Root, root};
pub use face::run::scope;
pub use face::scope::Scope;
pub use face::snapshot::{ScopeSnapshot, Snapshot, snapshot};
pub use face::spawner::Spawner;
pub use face::start::Ready;
pub use face::task::TaskOptions;
pub use task::handle::Task;
pub use task::output::{IsolatedOutput, Spawns, TaskOutput};
