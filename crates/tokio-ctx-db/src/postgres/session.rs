//! A connection as the kernel sees it.

use deadpool_postgres::Object;

use super::client::Client;
use super::transaction::Transaction;
use crate::error::Error;
use crate::kernel::{self, Rollback, Session};

impl Session for Client {
    type Transaction<'a> = Transaction<'a>;

    const NAME: &'static str = "PostgreSQL";

    async fn rollback(&mut self) -> Rollback {
        match self.ask_for_a_number("ROLLBACK; ").await {
            Ok(true) => Rollback::Done,
            Ok(false) => kernel::out_of_step(),
            Err(error) => {
                let text = format!("{error:?}");
                match error.code() {
                    Some(code) if code.code() == kernel::QUERY_CANCELED => Rollback::Hit(text),
                    _ => Rollback::Broken(text),
                }
            }
        }
    }

    fn close(self) {
        drop(Object::take(self.into_inner()));
    }

    async fn begin(&mut self) -> Result<Transaction<'_>, Error> {
        Transaction::begin(self).await
    }
}
