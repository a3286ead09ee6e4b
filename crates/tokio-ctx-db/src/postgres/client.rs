//! The client that work gets.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Buf;
use deadpool_postgres::Object;
use tokio_postgres::{CopyInSink, SimpleQueryMessage, ToStatement};

use crate::kernel::{self, Answers};

/// The client of a [`Connection`](super::Connection), for the work that runs on it.
///
/// It derefs to the pool's client, for everything that a client does.
///
/// # Examples
///
/// ```no_run
/// use tokio_ctx_db::postgres::Client;
///
/// async fn answer(c: &Client) -> Result<i32, tokio_postgres::Error> {
///     let statement = c.prepare_cached("select 42").await?;
///     Ok(c.query_one(&statement, &[]).await?.get(0))
/// }
/// ```
pub struct Client {
    object: Object,
    /// A COPY IN was asked for, and whether the answers are still counted rightly is not known.
    has_copied: AtomicBool,
}

impl Client {
    pub(super) fn new(object: Object) -> Client {
        Client {
            object,
            has_copied: AtomicBool::new(false),
        }
    }

    pub(super) fn into_inner(self) -> Object {
        self.object
    }

    /// COPY IN, as [`tokio_postgres::Client::copy_in`].
    ///
    /// When the server refuses the COPY, tokio-postgres 0.7 loses count of the answers
    /// ([rust-postgres#789]). So once the work has ended, the connection is asked for a number, and
    /// closed when something else comes. This is why the method is here: a function that takes the
    /// driver's client and calls the driver's method is not seen.
    ///
    /// Behind pgbouncer before 1.21, copy in a transaction only: outside of one, pgbouncer may give the
    /// answer that is left over to another client.
    ///
    /// [rust-postgres#789]: https://github.com/rust-postgres/rust-postgres/issues/789
    ///
    /// # Errors
    ///
    /// The server's, and the driver's.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe by itself: the COPY may have begun. The end of the context, and a drop of the
    /// future of [`under`](super::Connection::under), are safe.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use std::pin::pin;
    ///
    /// use bytes::Bytes;
    /// use futures_util::SinkExt as _;
    ///
    /// # async fn f(mut db: tokio_ctx_db::postgres::Connection) -> Result<(), Box<dyn std::error::Error>> {
    /// let ctx = tokio_ctx::Context::background();
    /// let copied = db.under(&ctx, async |c| {
    ///     let mut sink = pin!(c.copy_in("copy names from stdin").await?);
    ///     sink.send(Bytes::from_static(b"Ada\nGrace\n")).await?;
    ///     sink.finish().await
    /// });
    /// assert_eq!(copied.await??, 2);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn copy_in<T, U>(&self, statement: &T) -> Result<CopyInSink<U>, tokio_postgres::Error>
    where
        T: ?Sized + ToStatement,
        U: Buf + Send + 'static,
    {
        self.has_copied.store(true, Ordering::Relaxed);
        self.object.copy_in(statement).await
    }

    /// Whether the number that is asked for after `sql` is what comes.
    pub(super) async fn ask_for_a_number(
        &mut self,
        sql: &str,
    ) -> Result<bool, tokio_postgres::Error> {
        let number = kernel::number().to_string();
        let sql = format!("{sql}select {number}::text");
        let answer = self.simple_query(&sql).await?;
        let has_come = answer.iter().any(|message| {
            matches!(message, SimpleQueryMessage::Row(row) if row.get(0) == Some(&*number))
        });
        if has_come {
            *self.has_copied.get_mut() = false;
        }
        Ok(has_come)
    }
}

impl Answers for Client {
    fn may_be_out_of_step(&self) -> bool {
        self.has_copied.load(Ordering::Relaxed)
    }

    async fn is_in_step(&mut self) -> bool {
        matches!(self.ask_for_a_number("").await, Ok(true))
    }
}

impl Deref for Client {
    type Target = Object;

    fn deref(&self) -> &Object {
        &self.object
    }
}

impl DerefMut for Client {
    fn deref_mut(&mut self) -> &mut Object {
        &mut self.object
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("is_closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}
