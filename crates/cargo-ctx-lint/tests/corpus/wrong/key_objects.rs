//! Trait objects are behaviour, also behind an alias or an import.
use sqlx::PgPool as Db;
use std::sync::Arc;
use tokio_ctx::{Key, key};

type Service = Arc<dyn Handler + Send + Sync>;

key! {
    pub Repo: Arc<dyn Repository>; //~ infrastructure-in-key
    pub Aliased: Service; //~ infrastructure-in-key
    pub Database: Db; //~ infrastructure-in-key
}

struct Mail;

impl Key for Mail {
    type Value = Box<dyn Mailer>; //~ infrastructure-in-key
}
