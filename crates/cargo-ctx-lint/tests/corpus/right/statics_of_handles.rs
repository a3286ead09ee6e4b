//! Statics that end lifetimes, name them, or call with them.
use std::sync::{LazyLock, Mutex, OnceLock};
use tokio_ctx::{CancelGuard, CancelHandle, Context};

static STOP: OnceLock<CancelHandle> = OnceLock::new();
static GUARD: Mutex<Option<CancelGuard>> = Mutex::new(None);
static QUEUE: OnceLock<tokio::sync::mpsc::Sender<Context>> = OnceLock::new();
static MAKE: LazyLock<Box<dyn Fn(&Context) -> Context + Send + Sync>> = LazyLock::new(make);
static NAMES: [&str; 2] = ["a", "b"];

tokio::task_local! {
    static STARTED: std::time::Instant;
}
