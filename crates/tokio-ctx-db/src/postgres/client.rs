//! The client that work gets.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Buf;
use deadpool_postgres::Object;
use tokio_postgres::{CopyInSink, SimpleQueryMessage, ToStatement};

use super::transaction::Transaction;
use crate::error::Error;
use crate::kernel::{self, Rollback, Session};

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

    /// COPY IN, as [`tokio_postgres::Client::copy_in`].
    ///
    /// When the server refuses the COPY, tokio-postgres 0.7 loses count of the answers
    /// ([rust-postgres#789]). So once the work has ended, the connection is asked for a number, and
    /// closed when something else comes. This is why the method is here: a function that takes the
    /// driver's client and calls the driver's method is not seen.
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
}

impl Session for Client {
    type Transaction<'a> = Transaction<'a>;

    const NAME: &'static str = "PostgreSQL";

    fn may_be_out_of_step(&self) -> bool {
        self.has_copied.load(Ordering::Relaxed)
    }

    async fn is_in_step(&mut self) -> bool {
        let number = kernel::number().to_string();
        let answer = self.simple_query(&format!("select {number}::text")).await;
        let is_in_step = answer.is_ok_and(|answer| has_number(&answer, &number));
        self.has_copied.store(!is_in_step, Ordering::Relaxed);
        is_in_step
    }

    /// A COPY that was cut before the server took its data leaves an answer behind that tokio-postgres
    /// does not count: it ends what has not begun, and says Sync twice.
    async fn rollback(&mut self) -> Rollback {
        let number = kernel::number().to_string();
        let sql = format!("ROLLBACK; select {number}::text");
        match self.simple_query(&sql).await {
            Ok(answer) if has_number(&answer, &number) => {
                self.has_copied.store(false, Ordering::Relaxed);
                Rollback::Done
            }
            Ok(_) => kernel::out_of_step(),
            Err(error)
                if error
                    .code()
                    .is_some_and(|code| code.code() == kernel::QUERY_CANCELED) =>
            {
                Rollback::Hit(format!("{error:?}"))
            }
            Err(error) => Rollback::Broken(format!("{error:?}")),
        }
    }

    fn close(self) {
        drop(Object::take(self.object));
    }

    async fn begin(&mut self) -> Result<Transaction<'_>, Error> {
        Transaction::begin(self).await
    }
}

fn has_number(answer: &[SimpleQueryMessage], number: &str) -> bool {
    answer.iter().any(
        |message| matches!(message, SimpleQueryMessage::Row(row) if row.get(0) == Some(number)),
    )
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
