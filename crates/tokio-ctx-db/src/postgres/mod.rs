//! PostgreSQL through tokio-postgres 0.7 and the pool deadpool-postgres 0.14.

mod cancel;
mod client;
mod session;
mod stream;
mod transaction;

use std::fmt;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio_ctx_core::Context;
use tokio_postgres::Config;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};

use self::cancel::{Canceller, Hosts, Way};
pub use self::client::Client;
pub use self::stream::CancelStream;
pub use self::transaction::Transaction;
use crate::counts::Counts;
use crate::error::Error;
use crate::kernel::{Common, Lease};
use crate::settings::Settings;

/// A pool whose connections are used under a context.
///
/// # Examples
///
/// ```no_run
/// use std::time::Duration;
/// use tokio_ctx::Context;
/// use tokio_ctx_db::postgres::Pool;
///
/// # async fn f(pool: Pool) -> Result<(), Box<dyn std::error::Error>> {
/// let ctx = Context::background().with_timeout(Duration::from_secs(1));
/// let mut db = pool.get(&ctx).await?;
/// let query = db.under(&ctx, async |c| c.query_one("select pg_sleep(60)", &[]).await);
/// let error = query.await.unwrap_err();
/// assert!(error.cancelled().unwrap().is_timeout());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Pool {
    pool: deadpool_postgres::Pool,
    way: Arc<dyn Way>,
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
    lease: Lease<Client, Canceller>,
}

impl Pool {
    /// Uses `pool` under contexts.
    ///
    /// `config` and `tls` are those that the pool connects with: a cancel goes to the same hosts,
    /// through TLS where the connection has it.
    ///
    /// # Examples
    ///
    /// ```
    /// use deadpool_postgres::Manager;
    /// use tokio_ctx_db::postgres::Pool;
    /// use tokio_postgres::{Config, NoTls};
    ///
    /// let config: Config = "host=localhost user=app".parse()?;
    /// let manager = Manager::new(config.clone(), NoTls);
    /// let connections = deadpool_postgres::Pool::builder(manager).max_size(10).build()?;
    /// let pool = Pool::new(connections, &config, NoTls);
    /// assert_eq!(pool.counts().cuts, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new<T>(pool: deadpool_postgres::Pool, config: &Config, tls: T) -> Pool
    where
        T: MakeTlsConnect<CancelStream> + Clone + Send + Sync + 'static,
        T::Stream: Send,
        T::TlsConnect: Send,
        <T::TlsConnect as TlsConnect<CancelStream>>::Future: Send,
    {
        Pool {
            pool,
            way: Arc::new(Hosts::new(config, tls)),
            common: Arc::new(Common::new(Settings::default())),
        }
    }

    /// The same pool with other settings. Its counts begin anew.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use tokio_ctx_db::{Settings, postgres::Pool};
    ///
    /// # fn f(pool: Pool) {
    /// let pool = pool.with_settings(Settings::default().cancels_at_once(2));
    /// assert_eq!(pool.counts().cancels, 0);
    /// # }
    /// ```
    #[must_use]
    pub fn with_settings(mut self, settings: Settings) -> Pool {
        self.common = Arc::new(Common::new(settings));
        self
    }

    /// A connection, waited for until `ctx` ends.
    ///
    /// # Errors
    ///
    /// [`Error::cancelled`] when `ctx` ended first; the pool's own error otherwise.
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
    /// # async fn f(pool: tokio_ctx_db::postgres::Pool) -> Result<(), tokio_ctx_db::Error> {
    /// let ctx = tokio_ctx::Context::background().with_timeout(std::time::Duration::from_secs(1));
    /// let db = pool.get(&ctx).await?;
    /// assert!(!db.is_closed());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn get(&self, ctx: &Context) -> Result<Connection, Error> {
        let object = ctx.run(self.pool.get()).await?.map_err(Error::database)?;
        let cancel = Canceller::new(object.cancel_token(), Arc::clone(&self.way));
        let client = Client::new(object);
        let lease = Lease::new(client, cancel, Arc::clone(&self.common), Handle::current());
        Ok(Connection { lease })
    }

    /// What has happened to the connections so far.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # fn f(pool: tokio_ctx_db::postgres::Pool) {
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
    /// # fn f(pool: tokio_ctx_db::postgres::Pool) {
    /// assert!(pool.inner().status().size <= pool.inner().status().max_size);
    /// # }
    /// ```
    #[must_use]
    pub fn inner(&self) -> &deadpool_postgres::Pool {
        &self.pool
    }
}

impl Connection {
    /// Runs `work` on the connection; what it asks of the server stops when `ctx` ends.
    ///
    /// `work` gets the pool's client, with its cache of prepared statements; what it returns is
    /// given back as it is, as from [`Context::run`]. When this returns, nothing of the work runs
    /// at the server any more, and no cancel is under way.
    ///
    /// Everything is allowed in here, COPY in both directions and a pipeline too. A COPY that the
    /// server refuses, or that is cut before the server takes its data, costs the connection: see
    /// [`Client::copy_in`]. A transaction that is begun with `BEGIN` and left open when the context
    /// ends is rolled back; use
    /// [`transaction`](Connection::transaction), whose COMMIT is never cut.
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
    /// # async fn f(pool: tokio_ctx_db::postgres::Pool) -> Result<(), Box<dyn std::error::Error>> {
    /// let ctx = tokio_ctx::Context::background();
    /// let mut db = pool.get(&ctx).await?;
    /// let sum = db.under(&ctx, async |c| {
    ///     let row = c.query_one("select $1::int + 1", &[&41]).await?;
    ///     Ok::<i32, tokio_postgres::Error>(row.get(0))
    /// });
    /// assert_eq!(sum.await??, 42);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn under<T>(
        &mut self,
        ctx: &Context,
        work: impl AsyncFnOnce(&mut Client) -> T,
    ) -> Result<T, Error> {
        self.lease.under(ctx, work).await
    }

    /// Runs `work` in a transaction: committed when it returns `Ok`, rolled back when it returns
    /// `Err`, when `ctx` ends, and when the future is dropped.
    ///
    /// The COMMIT itself is never cut. When `ctx` ends while it is under way, its answer is waited
    /// for: a transaction that was committed gives its output, whatever the context says.
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
    /// # async fn f(pool: tokio_ctx_db::postgres::Pool) -> Result<(), Box<dyn std::error::Error>> {
    /// let ctx = tokio_ctx::Context::background();
    /// let mut db = pool.get(&ctx).await?;
    /// let moved = db.transaction(&ctx, async |tx| {
    ///     tx.execute("update accounts set cents = cents - 5 where id = 1", &[]).await?;
    ///     tx.execute("update accounts set cents = cents + 5 where id = 2", &[]).await
    /// });
    /// assert_eq!(moved.await??, 1);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn transaction<T, E>(
        &mut self,
        ctx: &Context,
        work: impl AsyncFnOnce(&mut Transaction<'_>) -> Result<T, E>,
    ) -> Result<Result<T, E>, Error> {
        self.lease.transaction(ctx, work).await
    }

    /// Whether an earlier call had to close the connection.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn f(mut db: tokio_ctx_db::postgres::Connection) -> Result<(), tokio_ctx_db::Error> {
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
