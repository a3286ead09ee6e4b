//! What goes wrong with a database, or ends a query.

use std::path::PathBuf;

use tokio_ctx::Cancelled;

/// Why a query gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The context ended; the query was interrupted or not started.
    #[error("{0}")]
    Cancelled(#[from] Cancelled),
    /// The database refused or failed.
    #[error("{database} database: {message}")]
    Failed {
        /// Which database.
        database: &'static str,
        /// What it said.
        message: String,
    },
}

/// Why the databases could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot use {}: {message}", file.display())]
pub struct OpenError {
    pub(super) file: PathBuf,
    pub(super) message: String,
}
