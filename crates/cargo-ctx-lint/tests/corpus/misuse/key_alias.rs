//! A pool by another name.
use tokio_ctx::key;

type Db = sqlx::PgPool;

key! { pub Database: Db } //~ key
