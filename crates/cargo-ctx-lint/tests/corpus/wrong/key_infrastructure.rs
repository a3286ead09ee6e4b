//! Keys that carry tools.
use std::sync::{Arc, Mutex};
use tokio_ctx::key;

key! {
    /// The database.
    pub Db: sqlx::PgPool; //~ infrastructure-in-key
    pub Http: reqwest::Client; //~ infrastructure-in-key
    pub Log: slog::Logger; //~ infrastructure-in-key
    pub Progress: tokio::sync::mpsc::Sender<u32>; //~ infrastructure-in-key
    pub Seen: Arc<Mutex<Vec<u64>>>; //~ infrastructure-in-key
    pub Retries: Arc<std::sync::atomic::AtomicU32>, request_only; //~ infrastructure-in-key
}
