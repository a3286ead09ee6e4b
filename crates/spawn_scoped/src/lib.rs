#![doc = include_str!("docs/crate.md")]

#[cfg(any(
    all(loom, not(feature = "loom")),
    all(shuttle, not(feature = "shuttle"))
))]
compile_error!(
    "this build has `--cfg loom` or `--cfg shuttle`: enable the feature of the same name in \
     your dependency on tokio-ctx, under `[target.'cfg(loom)'.dependencies]`"
);

mod background;
mod builder;
mod entry;
mod failure;
mod ledger;
mod list;
#[cfg(any(loom, shuttle))]
pub mod model;
mod options;
mod outcomes;
pub mod policy;
mod refused;
mod root;
mod rt;
mod run;
mod scope;
mod shared;
mod slots;
mod snapshot;
mod span;
mod start;
mod straggler;
mod sync;
mod task;
mod ticket;
mod watch;
mod work;

pub use builder::TaskBuilder;
pub use entry::TaskKind;
pub use failure::{FailureKind, LateError, TaskFailure};
pub use options::{ScopeOptions, ScopeReport};
pub use refused::Refused;
pub use root::{Root, root};
pub use scope::{Scope, scope};
pub use snapshot::{ScopeSnapshot, Snapshot, TaskSnapshot, snapshot};
pub use span::SpanPolicy;
pub use start::{NeverReady, Ready};
pub use straggler::Straggler;
pub use task::Task;
