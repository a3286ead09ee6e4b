//! PostgreSQL through sqlx 0.9.
//!
//! sqlx keeps the key of a session to itself, so a session is cancelled by number, with
//! `pg_cancel_backend` on a connection that is kept apart for it: open beforehand, so that it works
//! at a server that takes no further ones. The role must be the same, as it is here.
//!
//! A connection whose COPY was cut is closed: sqlx 0.9 loses count of its answers.

use std::fmt;
use std::sync::Arc;

use sqlx::pool::PoolConnection;
use sqlx::postgres::PgPoolOptions;
use sqlx::{
    AssertSqlSafe, Connection as _, Executor as _, PgConnection, PgPool, Postgres, Row as _,
    Transaction,
};
use tokio::runtime::Handle;
use tokio_ctx_core::Context;

use crate::counts::Counts;
use crate::error::Error;
use crate::kernel::{self, Answers, Cancel, Common, Lease, Rollback, Sent, Session};
use crate::settings::Settings;

/// How many answers of what was cut may come before that of a ping.
const ANSWERS: usize = 16;

/// A pool whose connections are used under a context.
///
/// # Examples
///
/// ```no_run
/// use std::time::Duration;
/// use tokio_ctx::Context;
/// use tokio_ctx_db::sqlx_postgres::Pool;
///
/// # async fn f(connections: sqlx::PgPool) -> Result<(), Box<dyn std::error::Error>> {
/// let root = Context::background();
/// let pool = Pool::new(&root, connections).await?;
///
/// let ctx = root.with_timeout(Duration::from_secs(1));
/// let mut db = pool.get(&ctx).await?;
/// let query = db.under(&ctx, async |c| sqlx::query("select pg_sleep(60)").execute(c).await);
/// assert!(query.await.unwrap_err().cancelled().unwrap().is_timeout());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Pool {
    work: PgPool,
    cancels: PgPool,
    common: Arc<Common>,
}

/// A connection of a [`Pool`], for one user at a time.
///
/// It goes back to its pool when it is dropped; in the middle of something, once that has stopped
/// at the server.
///
/// # Examples
///
/// See [`Pool`].
pub struct Connection {
    lease: Lease<PoolConnection<Postgres>, Canceller>,
}

impl Pool {
    /// Uses `pool` under contexts, and opens a connection of its own for cancels.
    ///
    /// # Errors
    ///
    /// [`Error::cancelled`] when `ctx` ends first; sqlx's error when the server is not there.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    ///
    /// # Examples
    ///
    /// See [`Pool`].
    pub async fn new(ctx: &Context, pool: PgPool) -> Result<Pool, Error> {
        let options = pool.connect_options();
        let cancels = PgPoolOptions::new()
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options.as_ref().clone());
        let cancels = ctx.run(cancels).await?.map_err(Error::database)?;
        Ok(Pool {
            work: pool,
            cancels,
            common: Arc::new(Common::new(Settings::default())),
        })
    }

    /// The same pool with other settings. Its counts begin anew.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use tokio_ctx_db::{Settings, sqlx_postgres::Pool};
    ///
    /// # fn f(pool: Pool) {
    /// let pool = pool.with_settings(Settings::default().cancels_per_second(50));
    /// assert_eq!(pool.counts().cancels, 0);
    /// # }
    /// ```
    #[must_use]
    pub fn with_settings(mut self, settings: Settings) -> Pool {
        self.common = Arc::new(Common::new(settings));
        self
    }

    /// A connection, waited for until `ctx` ends. It costs a round trip, which asks for the number
    /// of the session.
    ///
    /// # Errors
    ///
    /// [`Error::cancelled`] when `ctx` ended first; sqlx's error otherwise.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a connection that comes too late goes back to the pool.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn f(pool: tokio_ctx_db::sqlx_postgres::Pool) -> Result<(), tokio_ctx_db::Error> {
    /// let ctx = tokio_ctx::Context::background().with_timeout(std::time::Duration::from_secs(1));
    /// let db = pool.get(&ctx).await?;
    /// assert!(!db.is_closed());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn get(&self, ctx: &Context) -> Result<Connection, Error> {
        let connection = ctx.run(async {
            let mut connection = self.work.acquire().await?;
            let row = connection.fetch_one("select pg_backend_pid()").await?;
            Ok::<_, sqlx::Error>((connection, row.get(0)))
        });
        let (connection, session) = connection.await?.map_err(Error::database)?;
        let cancel = Canceller {
            pool: self.cancels.clone(),
            session,
        };
        let lease = Lease::new(
            connection,
            cancel,
            Arc::clone(&self.common),
            Handle::current(),
        );
        Ok(Connection { lease })
    }

    /// What has happened to the connections so far.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # fn f(pool: tokio_ctx_db::sqlx_postgres::Pool) {
    /// let counts = pool.counts();
    /// assert_eq!(counts.cuts, counts.cleaned + counts.lost(), "while nothing is under way");
    /// # }
    /// ```
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.common.counters.read()
    }

    /// The pool of connections itself. What is taken from it directly is under no context.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # fn f(pool: tokio_ctx_db::sqlx_postgres::Pool) {
    /// assert!(!pool.inner().is_closed());
    /// # }
    /// ```
    #[must_use]
    pub fn inner(&self) -> &PgPool {
        &self.work
    }
}

impl Connection {
    /// Runs `work` on the connection; what it asks of the server stops when `ctx` ends.
    ///
    /// What `work` returns is given back as it is, as from [`Context::run`]. When this returns,
    /// nothing of the work runs at the server any more, and no cancel is under way.
    ///
    /// # Errors
    ///
    /// [`Error::cancelled`] when `ctx` ended before the work did; [`Error::is_closed`] when an
    /// earlier call had to close the connection.
    ///
    /// # Cancel safety
    ///
    /// The future may be dropped at any time: the query is then stopped in the background, and the
    /// connection is clean before its next user gets it. What the work has done until then has
    /// happened.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn f(pool: tokio_ctx_db::sqlx_postgres::Pool) -> Result<(), Box<dyn std::error::Error>> {
    /// let ctx = tokio_ctx::Context::background();
    /// let mut db = pool.get(&ctx).await?;
    /// let sum = db.under(&ctx, async |c| {
    ///     sqlx::query_scalar::<_, i32>("select $1 + 1").bind(41).fetch_one(c).await
    /// });
    /// assert_eq!(sum.await??, 42);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn under<T>(
        &mut self,
        ctx: &Context,
        work: impl AsyncFnOnce(&mut PgConnection) -> T,
    ) -> Result<T, Error> {
        self.lease
            .under(ctx, async |connection| work(connection).await)
            .await
    }

    /// Runs `work` in a transaction: committed when it returns `Ok`, rolled back when it returns
    /// `Err`, when `ctx` ends, and when the future is dropped. The COMMIT itself is never cut.
    ///
    /// # Errors
    ///
    /// As [`under`](Connection::under), and the server's error where BEGIN, COMMIT or ROLLBACK
    /// fails. [`Error::is_commit_unknown`] when the COMMIT's answer did not come within the grace
    /// after the end of `ctx`.
    ///
    /// # Cancel safety
    ///
    /// The future may be dropped at any time: the transaction is then rolled back, unless its
    /// COMMIT has been sent.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn f(pool: tokio_ctx_db::sqlx_postgres::Pool) -> Result<(), Box<dyn std::error::Error>> {
    /// let ctx = tokio_ctx::Context::background();
    /// let mut db = pool.get(&ctx).await?;
    /// let moved = db.transaction(&ctx, async |tx| {
    ///     let sql = "update accounts set cents = cents - 5 where id = 1";
    ///     sqlx::query(sql).execute(&mut **tx).await
    /// });
    /// assert_eq!(moved.await??.rows_affected(), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn transaction<T, E>(
        &mut self,
        ctx: &Context,
        work: impl AsyncFnOnce(&mut Transaction<'_, Postgres>) -> Result<T, E>,
    ) -> Result<Result<T, E>, Error> {
        self.lease.transaction(ctx, work).await
    }

    /// Whether an earlier call had to close the connection.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn f(mut db: tokio_ctx_db::sqlx_postgres::Connection) -> Result<(), tokio_ctx_db::Error> {
    /// let ctx = tokio_ctx::Context::background();
    /// if db.is_closed() {
    ///     assert!(db.under(&ctx, async |_| ()).await.unwrap_err().is_closed());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.lease.is_closed()
    }
}

impl Answers for PoolConnection<Postgres> {}

impl Session for PoolConnection<Postgres> {
    type Transaction<'a> = Transaction<'a, Postgres>;

    const NAME: &'static str = "PostgreSQL";

    /// The answers of what was cut come first, errors among them, each of which fails a ping.
    async fn rollback(&mut self) -> Rollback {
        let mut answers = 0;
        loop {
            match self.ping().await {
                Ok(()) => break,
                Err(sqlx::Error::Database(_)) if answers < ANSWERS => answers += 1,
                Err(error) => return Rollback::Broken(format!("{error:?}")),
            }
        }
        // A COPY that was dropped leaves an answer behind that is not counted, and from then on every
        // query gets the one of the query before. So this one has a number.
        let number = kernel::number();
        let sql = AssertSqlSafe(format!("ROLLBACK; select {number}::text"));
        match sqlx::raw_sql(sql).fetch_all(&mut **self).await {
            Ok(rows) => {
                let answer = rows
                    .first()
                    .and_then(|row| row.try_get::<String, _>(0).ok());
                let is_mine = answer.is_some_and(|answer| answer == number.to_string());
                if is_mine {
                    Rollback::Done
                } else {
                    kernel::out_of_step()
                }
            }
            Err(sqlx::Error::Database(error))
                if error.code().as_deref() == Some(kernel::QUERY_CANCELED) =>
            {
                Rollback::Hit(format!("{error:?}"))
            }
            Err(error) => Rollback::Broken(format!("{error:?}")),
        }
    }

    fn close(self) {
        drop(self.detach());
    }

    async fn begin(&mut self) -> Result<Transaction<'_, Postgres>, Error> {
        sqlx::Connection::begin(&mut **self)
            .await
            .map_err(Error::database)
    }
}

impl Answers for Transaction<'_, Postgres> {}

impl kernel::Transaction for Transaction<'_, Postgres> {
    async fn commit(self) -> Result<(), Error> {
        Transaction::commit(self).await.map_err(Error::database)
    }

    async fn rollback(self) -> Result<(), Error> {
        Transaction::rollback(self).await.map_err(Error::database)
    }
}

/// Sends the cancels of one session.
#[derive(Clone)]
struct Canceller {
    pool: PgPool,
    session: i32,
}

impl Cancel for Canceller {
    /// The answer is the fence of rule 4: the signal is at the session by then.
    async fn cancel(&self) -> Sent {
        let Ok(mut spare) = self.pool.acquire().await else {
            return Sent::Unsent;
        };
        let cancel = sqlx::query("select pg_cancel_backend($1)").bind(self.session);
        match cancel.execute(&mut *spare).await {
            Ok(_) => Sent::Fenced,
            Err(error) => Sent::Unfenced(error.to_string()),
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("counts", &self.counts())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("is_closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}
