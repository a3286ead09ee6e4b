//! What goes wrong with a database, or ends a query.

use std::fmt;
use std::io;
use std::path::PathBuf;

use tokio_ctx::Cancelled;

/// Why a query gave no answer.
#[derive(Debug)]
pub enum QueryError {
    /// The context ended; the query was interrupted or not started.
    Cancelled(Cancelled),
    /// The database refused or failed.
    Failed {
        /// Which database.
        database: &'static str,
        /// What it said.
        message: String,
    },
}

/// Why the databases could not be opened.
#[derive(Debug)]
pub struct OpenError {
    pub(super) file: PathBuf,
    pub(super) message: String,
}

/// What can go wrong between the start of a query and its answer.
pub(super) enum Failure {
    Sqlite(rusqlite::Error),
    File(io::Error),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Sqlite(error) => error.fmt(f),
            Failure::File(error) => error.fmt(f),
        }
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Failure {
        Failure::Sqlite(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::File(error)
    }
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            QueryError::Cancelled(cancelled) => cancelled.fmt(f),
            QueryError::Failed { database, message } => {
                write!(f, "{database} database: {message}")
            }
        }
    }
}

impl std::error::Error for QueryError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            QueryError::Cancelled(cancelled) => Some(cancelled),
            QueryError::Failed { .. } => None,
        }
    }
}

impl From<Cancelled> for QueryError {
    fn from(cancelled: Cancelled) -> QueryError {
        QueryError::Cancelled(cancelled)
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot use {}: {}", self.file.display(), self.message)
    }
}

impl std::error::Error for OpenError {}
