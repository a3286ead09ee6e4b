#![doc = include_str!("docs/crate.md")]
#![doc = include_str!("docs/cancel.svg")]
//!
//! # Where to look
//!
#![doc = include_str!("docs/map.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[doc(inline)]
pub use tokio_ctx_core::{
    Budget, CancelGuard, CancelHandle, CancellationToken, Cancelled, Context, Key, OnCancel,
    Reason, future, interrupt, key,
};

#[cfg(feature = "scope")]
#[doc(inline)]
pub use spawn_scoped::{
    Deferred, IsolatedOutput, Ready, Root, Scope, ScopeOptions, ScopeReport, ScopeSnapshot,
    Snapshot, Spawner, Spawns, Task, TaskFailure, TaskOptions, TaskOutput, TaskSnapshot, policy,
    root, scope, snapshot,
};

#[cfg(feature = "axum")]
#[doc(inline)]
pub use tokio_ctx_core::axum_core_05;

#[cfg(any(
    feature = "db-deadpool-postgres-0_14",
    feature = "db-rusqlite-0_41",
    feature = "db-sqlx-postgres-0_9"
))]
#[doc(inline)]
pub use tokio_ctx_db as db;
#[cfg(feature = "tower")]
#[doc(inline)]
pub use tokio_ctx_tower as tower;

#[cfg(feature = "view")]
#[doc(inline)]
pub use tokio_ctx_view as view;

/// What models of your own code need, under `--cfg loom` with the feature `loom`.
#[cfg(any(loom, shuttle))]
pub mod model {
    #[cfg(feature = "scope")]
    #[doc(inline)]
    pub use spawn_scoped::model::{Panic, enable_abort, set_task_threads};
    #[doc(inline)]
    pub use tokio_ctx_core::model::{advance, block_on, let_stall, lose_timers, now, stall};
}
