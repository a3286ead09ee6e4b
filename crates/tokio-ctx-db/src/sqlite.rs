//! SQLite through rusqlite 0.41.
//!
//! SQLite has no server: the query runs on the thread that asked for it, and what can stop it is a
//! question that it asks itself. So the work is neither dropped nor interrupted from outside; three
//! hooks of the connection ask the context:
//!
//! - the progress handler, every thousand instructions of SQLite's machine, ends the statement;
//! - the busy handler, every few milliseconds, ends a wait for another connection's lock;
//! - the commit hook refuses what would be committed after the end. A statement that is cut may
//!   have rolled its transaction back, and what follows it would then be committed one by one.
//!
//! SQLite's own interrupt handle (`sqlite3_interrupt`) can do none of this well: it is lost when it
//! comes before a statement starts, hits the next one when another is half read, and stops no wait
//! for a lock.

use std::error::Error as StdError;
use std::ffi::c_int;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio_ctx_core::Context;
use tokio_ctx_core::owner::in_flight;

use crate::error::Error;

/// Instructions between two questions: some tens of microseconds.
const INSTRUCTIONS: c_int = 1_000;

/// How long a statement waits for another connection's lock: SQLite's wrapper has the same default.
const BUSY: Duration = Duration::from_secs(5);

/// Runs `work` on `conn`; a statement that is under way when `ctx` ends is ended.
///
/// Blocks, as SQLite does: call it on a blocking thread, as `spawn_blocking` of a scope has. What
/// `work` returns is given back as it is, unless something was cut and it is an error.
///
/// While it runs, the connection's progress handler, busy handler and commit hook are in use;
/// afterwards they are removed, and the busy timeout is five seconds. Nothing is committed after
/// the end of `ctx`, and a transaction that is open when something was cut is rolled back.
///
/// # Errors
///
/// [`Error::cancelled`] when `ctx` had ended, or cut something and `work` failed.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use rusqlite::Connection;
/// use tokio_ctx::Context;
/// use tokio_ctx_db::sqlite;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut conn = Connection::open_in_memory()?;
/// let endless = "with recursive n(i) as (select 1 union all select i + 1 from n) select max(i) from n";
///
/// let ctx = Context::background().with_timeout(Duration::from_millis(20));
/// let cut = sqlite::under(&ctx, &mut conn, |c| c.execute_batch(endless));
/// assert!(cut.unwrap_err().cancelled().unwrap().is_timeout());
///
/// let ctx = Context::background();
/// let seven = sqlite::under(&ctx, &mut conn, |c| {
///     c.query_row("select 7", [], |row| row.get::<_, u32>(0))
/// });
/// assert_eq!(seven??, 7);
/// # Ok(())
/// # }
/// ```
pub fn under<T, E>(
    ctx: &Context,
    conn: &mut Connection,
    work: impl FnOnce(&mut Connection) -> Result<T, E>,
) -> Result<Result<T, E>, Error> {
    ctx.check()?;
    let cut = Arc::new(AtomicBool::new(false));
    let hooked = Hooked::install(ctx, conn, &cut).map_err(Error::database)?;
    let _shown = in_flight::enter("query", ctx, |label| label.push_str("SQLite"));
    let output = work(hooked.0);
    let was_cut = cut.load(Ordering::Relaxed);
    drop(hooked);
    match (output, ctx.err()) {
        (Err(_), Some(why)) if was_cut => {
            if !conn.is_autocommit() {
                conn.execute_batch("rollback").map_err(Error::database)?;
            }
            Err(why.into())
        }
        (output, _) => Ok(output),
    }
}

/// Runs `work` in a transaction, which is committed when it returns `Ok` before `ctx` ends.
///
/// It takes its lock for writing at once, so that two of them do not fail one another half-way.
///
/// # Errors
///
/// As [`under`], and SQLite's error where BEGIN, COMMIT or ROLLBACK fails.
///
/// # Examples
///
/// ```
/// use rusqlite::Connection;
/// use tokio_ctx::Context;
/// use tokio_ctx_db::sqlite;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut conn = Connection::open_in_memory()?;
/// conn.execute_batch("create table t (a int)")?;
/// let ctx = Context::background().with_cancel();
/// let late = sqlite::transaction(&ctx, &mut conn, |tx| {
///     let inserted = tx.execute("insert into t values (1)", []);
///     ctx.cancel();
///     inserted
/// });
/// assert!(late.unwrap_err().cancelled().is_some());
/// assert_eq!(conn.query_row("select count(*) from t", [], |row| row.get::<_, u32>(0))?, 0);
/// # Ok(())
/// # }
/// ```
pub fn transaction<T, E>(
    ctx: &Context,
    conn: &mut Connection,
    work: impl FnOnce(&mut Transaction<'_>) -> Result<T, E>,
) -> Result<Result<T, E>, Error> {
    let worked = under(ctx, conn, |conn| {
        let behavior = TransactionBehavior::Immediate;
        let mut transaction = conn.transaction_with_behavior(behavior).map_err(Sqlite)?;
        match work(&mut transaction) {
            Ok(output) => {
                transaction.commit().map_err(Sqlite)?;
                Ok(output)
            }
            Err(error) => {
                // A cut has rolled it back already.
                if !transaction.is_autocommit() {
                    transaction.rollback().map_err(Sqlite)?;
                }
                Err(Failed::Work(error))
            }
        }
    });
    match worked? {
        Ok(output) => Ok(Ok(output)),
        Err(Failed::Work(error)) => Ok(Err(error)),
        Err(Failed::Database(error)) => Err(Error::database(error)),
    }
}

/// What failed in a transaction.
enum Failed<E> {
    Work(E),
    Database(Box<dyn StdError + Send + Sync>),
}

/// An error of SQLite around the work, not of it.
struct Sqlite(rusqlite::Error);

impl<E> From<Sqlite> for Failed<E> {
    fn from(Sqlite(error): Sqlite) -> Failed<E> {
        Failed::Database(error.into())
    }
}

/// A connection whose hooks ask a context until it is dropped.
struct Hooked<'c>(&'c mut Connection);

impl<'c> Hooked<'c> {
    fn install(
        ctx: &Context,
        conn: &'c mut Connection,
        cut: &Arc<AtomicBool>,
    ) -> rusqlite::Result<Hooked<'c>> {
        let ask = || {
            let (ctx, cut) = (ctx.clone(), Arc::clone(cut));
            move || {
                let is_done = ctx.is_done();
                if is_done {
                    cut.store(true, Ordering::Relaxed);
                }
                is_done
            }
        };
        let hooked = Hooked(conn);
        hooked.0.progress_handler(INSTRUCTIONS, Some(ask()))?;
        hooked.0.commit_hook(Some(ask()))?;
        let is_done = ask();
        let mut began = Instant::now();
        hooked.0.busy_handler(Some(move |count: c_int| {
            if count == 0 {
                began = Instant::now();
            }
            if is_done() || began.elapsed() > BUSY {
                return false;
            }
            thread::sleep(Duration::from_millis(if count < 4 { 1 } else { 5 }));
            true
        }))?;
        Ok(hooked)
    }
}

impl Drop for Hooked<'_> {
    fn drop(&mut self) {
        // Setting none of them fails: there is nothing to allocate.
        let _ = self.0.progress_handler(0, None::<fn() -> bool>);
        let _ = self.0.commit_hook(None::<fn() -> bool>);
        let _ = self.0.busy_timeout(BUSY);
    }
}
