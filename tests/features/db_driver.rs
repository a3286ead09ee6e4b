//! features: db-rusqlite-0_41
//! rustc says: the item is gated behind the `deadpool-postgres-0_14` feature

use tokio_ctx::db::postgres::Pool;
