//! A transaction.

use std::fmt;
use std::ops::Deref;

use super::client::Client;
use crate::error::Error;
use crate::kernel::{self, Answers};

/// An open transaction of a [`Connection`](super::Connection).
///
/// It derefs to the [`Client`], for everything that a client does. It is committed and rolled
/// back by what made it. For another isolation level, let `SET TRANSACTION` be the first statement.
///
/// Unlike the driver's own it sends nothing when it is dropped: pgbouncer before 1.21 dies of a
/// ROLLBACK that is sent behind a query while that is being cancelled.
pub struct Transaction<'a> {
    client: &'a mut Client,
    depth: u32,
    /// A savepoint was begun and not ended: its future was dropped, or the server failed.
    is_spoiled: bool,
}

impl Transaction<'_> {
    pub(super) async fn begin(client: &mut Client) -> Result<Transaction<'_>, Error> {
        client
            .batch_execute("BEGIN")
            .await
            .map_err(Error::database)?;
        Ok(Transaction {
            client,
            depth: 0,
            is_spoiled: false,
        })
    }

    /// Runs `work` in a savepoint: kept when it returns `Ok`, undone when it returns `Err`.
    ///
    /// # Errors
    ///
    /// The server's, where the savepoint itself fails.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: a transaction with a savepoint that was dropped half-way cannot be
    /// committed any more, and is rolled back with an error.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn f(mut db: tokio_ctx_db::postgres::Connection) -> Result<(), Box<dyn std::error::Error>> {
    /// let ctx = tokio_ctx::Context::background();
    /// let work = db.transaction(&ctx, async |tx| {
    ///     let tried = tx.savepoint(async |tx| tx.batch_execute("insert into t values (1)").await);
    ///     let was_inserted = tried.await?.is_ok();
    ///     Ok::<bool, tokio_ctx_db::Error>(was_inserted)
    /// });
    /// assert!(work.await??);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn savepoint<T, E>(
        &mut self,
        work: impl AsyncFnOnce(&mut Transaction<'_>) -> Result<T, E>,
    ) -> Result<Result<T, E>, Error> {
        let depth = self.depth + 1;
        self.is_spoiled = true;
        self.execute(&format!("SAVEPOINT ctx_{depth}")).await?;
        let mut inner = Transaction {
            client: &mut *self.client,
            depth,
            is_spoiled: false,
        };
        let output = work(&mut inner).await;
        let is_spoiled = inner.is_spoiled;
        let end = match &output {
            Ok(_) => format!("RELEASE SAVEPOINT ctx_{depth}"),
            Err(_) => format!("ROLLBACK TO SAVEPOINT ctx_{depth}; RELEASE SAVEPOINT ctx_{depth}"),
        };
        self.execute(&end).await?;
        self.is_spoiled = is_spoiled;
        Ok(output)
    }

    async fn execute(&self, sql: &str) -> Result<(), Error> {
        self.client
            .batch_execute(sql)
            .await
            .map_err(Error::database)
    }
}

impl Answers for Transaction<'_> {
    fn may_be_out_of_step(&self) -> bool {
        self.client.may_be_out_of_step()
    }

    async fn is_in_step(&mut self) -> bool {
        self.client.is_in_step().await
    }
}

impl kernel::Transaction for Transaction<'_> {
    async fn commit(self) -> Result<(), Error> {
        if self.is_spoiled {
            self.execute("ROLLBACK").await?;
            return Err(Error::database(
                "a savepoint of the transaction was left half-way",
            ));
        }
        self.execute("COMMIT").await
    }

    async fn rollback(self) -> Result<(), Error> {
        self.execute("ROLLBACK").await
    }
}

impl Deref for Transaction<'_> {
    type Target = Client;

    fn deref(&self) -> &Client {
        self.client
    }
}

impl fmt::Debug for Transaction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction")
            .field("depth", &self.depth)
            .finish_non_exhaustive()
    }
}
