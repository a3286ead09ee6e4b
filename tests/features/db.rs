//! features: scope
//! rustc says: feature = "db-rusqlite-0_41"

use tokio_ctx::db::sqlite;
