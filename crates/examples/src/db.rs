//! Three SQLite databases and the queries on them, stoppable by a [`Context`].
//!
//! A query runs on a blocking thread, where no await point can drop it.
//! What stops it is a question that SQLite asks while it works: see `stoppable`.

mod error;
mod table;

use std::error::Error;
use std::fmt;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};
use tokio_ctx::Context;
use tokio_ctx::db::sqlite;

pub use self::error::{OpenError, QueryError};
use self::table::{HISTORY, Table, WINDOW};

/// The rows that each of the three databases holds.
pub const ROWS: u32 = 120_000;

/// How long a calibrated query takes when nothing else uses the machine.
///
/// Much more than the demo needs, so that a processor that speeds up after the calibration still
/// leaves a query that is worth interrupting.
pub const TARGET: Duration = Duration::from_millis(800);

/// One of the three databases: where it lives and how much work one report asks of it.
#[derive(Debug)]
pub struct Database {
    table: Table,
    path: PathBuf,
    /// Set by the calibration, before any request; a counter without an order of its own.
    days: AtomicU32,
}

/// The three databases of the service.
///
/// # Examples
///
/// ```
/// let dir = tempfile::tempdir()?;
/// let databases = examples::db::Databases::open_or_fill(dir.path())?;
/// assert_eq!(databases.users.name(), "users");
/// assert!(dir.path().join("payments.db").exists());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Databases {
    /// Who signed up when.
    pub users: Database,
    /// Who ordered for how much.
    pub orders: Database,
    /// What each payment cost in fees, as JSON.
    pub payments: Database,
}

/// The answer of one report query: the busiest window and what it summed up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busiest {
    /// The last day of the window, counted from the first day of the history.
    pub day: u32,
    /// The total over the window: sign-ups, or cents.
    pub total: u64,
    /// How many windows were compared.
    pub days: u32,
}

impl Databases {
    /// Opens the databases in `dir`; those whose file is not there are created and filled.
    ///
    /// # Errors
    ///
    /// [`OpenError`] names the file that is not a database, that lacks its table or rows, or
    /// that could not be written.
    pub fn open_or_fill(dir: &Path) -> Result<Databases, OpenError> {
        // Three files, so three threads: the filling is pure work for the processor.
        let [users, orders, payments] = thread::scope(|s| {
            [Table::Users, Table::Orders, Table::Payments]
                .map(|table| s.spawn(move || Database::open_or_fill(table, dir)))
                .map(|filling| {
                    filling
                        .join()
                        .unwrap_or_else(|p| std::panic::resume_unwind(p))
                })
        });
        Ok(Databases {
            users: users?,
            orders: orders?,
            payments: payments?,
        })
    }

    /// Sizes the report so that each query takes about [`TARGET`] on this machine.
    ///
    /// Returns what each query is expected to take when it runs alone.
    ///
    /// # Errors
    ///
    /// [`QueryError`] when a database does not answer.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use examples::db::{Databases, TARGET};
    /// # fn open() -> Databases { unreachable!() }
    /// let databases = open();
    /// let expected = databases.calibrate()?;
    /// assert!(expected.iter().all(|&each| each >= TARGET / 2));
    /// # Ok::<(), examples::db::QueryError>(())
    /// ```
    pub fn calibrate(&self) -> Result<[Duration; 3], QueryError> {
        let [users, orders, payments] = self.each().map(Database::calibrate);
        Ok([users?, orders?, payments?])
    }

    /// The three databases, in the order of the report.
    #[must_use]
    pub fn each(&self) -> [&Database; 3] {
        [&self.users, &self.orders, &self.payments]
    }
}

impl Database {
    /// The name that reports and logs use.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.table.name()
    }

    /// The database file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many windows one report compares: the size of the query.
    #[must_use]
    pub fn days(&self) -> u32 {
        self.days.load(Ordering::Relaxed)
    }

    /// Finds the busiest window among the last `days` of them; blocks until found or stopped.
    ///
    /// # Errors
    ///
    /// [`QueryError::Cancelled`] within a fraction of a millisecond of the end of `ctx`, on whatever
    /// thread it ends; [`QueryError::Failed`] when the database fails.
    ///
    /// # Examples
    ///
    /// ```
    /// use examples::db::{Databases, QueryError};
    /// use tokio_ctx::Context;
    ///
    /// let dir = tempfile::tempdir()?;
    /// let users = Databases::open_or_fill(dir.path())?.users;
    /// let ctx = Context::background().with_cancel();
    /// assert_eq!(users.busiest(&ctx, 3)?.days, 3);
    ///
    /// ctx.cancel();
    /// assert!(matches!(users.busiest(&ctx, 3), Err(QueryError::Cancelled(_))));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn busiest(&self, ctx: &Context, days: u32) -> Result<Busiest, QueryError> {
        let days = days.clamp(1, HISTORY);
        let sql = format!(
            "WITH RECURSIVE back(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM back WHERE n + 1 < ?1),
                            day(d) AS (SELECT {last} - n FROM back)
             SELECT d, ({total}) AS total FROM day ORDER BY total DESC, d LIMIT 1",
            last = HISTORY - 1,
            total = self.table.total_up_to("d"),
        );
        self.stoppable(ctx, |conn| {
            Ok(conn.query_row(&sql, [days], |row| {
                Ok(Busiest {
                    day: row.get(0)?,
                    total: row.get::<_, i64>(1)?.unsigned_abs(),
                    days,
                })
            })?)
        })
    }

    /// Writes one line for each of the last `days` to a new file; blocks until done or stopped.
    ///
    /// Returns the lines written. Stopped or failed half-way, it removes the file again.
    ///
    /// # Errors
    ///
    /// As for [`busiest`](Database::busiest); a file that cannot be written is a failure, too.
    ///
    /// # Examples
    ///
    /// ```
    /// # use examples::db::Databases;
    /// # use tokio_ctx::Context;
    /// let dir = tempfile::tempdir()?;
    /// let orders = Databases::open_or_fill(dir.path())?.orders;
    /// let file = dir.path().join("orders.csv");
    /// assert_eq!(orders.export(&Context::background(), 5, &file)?, 5);
    /// assert_eq!(std::fs::read_to_string(file)?.lines().count(), 5);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn export(&self, ctx: &Context, days: u32, file: &Path) -> Result<u32, QueryError> {
        let days = days.clamp(1, HISTORY);
        let sql = format!("SELECT ({})", self.table.total_up_to("?1"));
        let write = |conn: &Connection| {
            let mut out = fs::File::create(file)?;
            let mut total_of = conn.prepare(&sql)?;
            for day in HISTORY - days..HISTORY {
                let total: i64 = total_of.query_row([day], |row| row.get(0))?;
                writeln!(out, "{day},{total}")?;
            }
            Ok(days)
        };
        self.stoppable(ctx, write)
            .inspect_err(|_| drop(fs::remove_file(file)))
    }

    /// Damages one row, or repairs it: a sixth of the way through a report, the query then fails.
    ///
    /// # Errors
    ///
    /// [`QueryError::Failed`] when the row cannot be written, as in a database without JSON.
    ///
    /// # Examples
    ///
    /// ```
    /// # use examples::db::Databases;
    /// # use tokio_ctx::Context;
    /// let dir = tempfile::tempdir()?;
    /// let payments = Databases::open_or_fill(dir.path())?.payments;
    /// let ctx = Context::background();
    /// payments.set_damaged(true)?;
    /// let error = payments.busiest(&ctx, payments.days()).unwrap_err();
    /// assert_eq!(error.to_string(), "payments database: malformed JSON");
    /// payments.set_damaged(false)?;
    /// assert!(payments.busiest(&ctx, payments.days()).is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set_damaged(&self, damaged: bool) -> Result<(), QueryError> {
        let conn = Connection::open(&self.path).map_err(|e| self.failed(e))?;
        // No window reaches back to this day before a sixth of them are summed up.
        let day = HISTORY.saturating_sub(WINDOW + self.days() / 6);
        let change = if damaged {
            conn.execute(
                "INSERT INTO payments (id, booked_on, details) VALUES (?1, ?2, '{\"fee_cents\":')",
                [ROWS + 1, day],
            )
        } else {
            conn.execute("DELETE FROM payments WHERE id = ?1", [ROWS + 1])
        };
        change.map(drop).map_err(|e| self.failed(e))
    }

    /// Runs `query` on a connection that asks `ctx` while it works.
    fn stoppable<T>(
        &self,
        ctx: &Context,
        query: impl FnOnce(&Connection) -> Result<T, Box<dyn Error>>,
    ) -> Result<T, QueryError> {
        ctx.check()?;
        let mut conn = self.connect().map_err(|e| self.failed(e))?;
        match sqlite::under(ctx, &mut conn, |conn| query(conn)) {
            Ok(answer) => answer.map_err(|e| self.failed(e)),
            Err(error) => Err(match error.cancelled() {
                Some(why) => QueryError::Cancelled(why.clone()),
                None => self.failed(error),
            }),
        }
    }

    fn connect(&self) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = Connection::open_with_flags(&self.path, flags)?;
        // The whole table fits, so what a query takes is the processor's doing, not the disk's.
        conn.pragma_update(None, "cache_size", -32_000)?;
        Ok(conn)
    }

    fn open_or_fill(table: Table, dir: &Path) -> Result<Database, OpenError> {
        let path = dir.join(format!("{}.db", table.name()));
        let database = Database {
            table,
            path,
            days: AtomicU32::new(WINDOW),
        };
        let open = || -> Result<u32, String> {
            if !database.path.exists() {
                database.fill()?;
            }
            let count = format!("SELECT count(*) FROM {}", table.name());
            let conn = database.connect().map_err(text)?;
            conn.query_row(&count, [], |row| row.get(0)).map_err(text)
        };
        match open() {
            Ok(rows) if rows >= ROWS => Ok(database),
            Ok(rows) => Err(format!("has {rows} rows of {ROWS}")),
            Err(message) => Err(message),
        }
        .map_err(|message| OpenError {
            file: dir.join(format!("{}.db", table.name())),
            message,
        })
    }

    /// Fills a file aside and renames it: one that is there was filled to the end.
    fn fill(&self) -> Result<(), String> {
        let aside = self.path.with_extension("part");
        drop(fs::remove_file(&aside));
        let conn = Connection::open(&aside).map_err(text)?;
        // A crash costs nothing here, since the file is then filled again.
        let sql = format!(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;
             BEGIN; {}
             WITH RECURSIVE row(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM row WHERE i < {ROWS}),
                            mix(i, h) AS (SELECT i, (i * 2654435761) % 4294967296 / 64 FROM row)
             INSERT INTO {} SELECT {} FROM mix; COMMIT;",
            self.table.schema(),
            self.table.name(),
            self.table.row(),
        );
        conn.execute_batch(&sql).map_err(text)?;
        conn.close().map_err(|(_, error)| text(error))?;
        fs::rename(&aside, &self.path).map_err(text)
    }

    fn calibrate(&self) -> Result<Duration, QueryError> {
        const PROBE: u32 = 6;
        // ctx-lint: allow(background-outside-root) at start-up, before there is a request
        let ctx = Context::background();
        let mut fastest = Duration::MAX;
        for _ in 0..5 {
            let started = Instant::now();
            self.busiest(&ctx, PROBE)?;
            fastest = fastest.min(started.elapsed());
        }
        let day = (fastest / PROBE).max(Duration::from_micros(1));
        let days = TARGET.as_nanos().div_ceil(day.as_nanos());
        let days = u32::try_from(days).unwrap_or(HISTORY).clamp(4, HISTORY);
        self.days.store(days, Ordering::Relaxed);
        Ok(day * days)
    }

    fn failed(&self, error: impl fmt::Display) -> QueryError {
        QueryError::Failed {
            database: self.name(),
            message: error.to_string(),
        }
    }
}

fn text(error: impl fmt::Display) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_before_the_query_starts_is_not_lost() {
        let folder = tempfile::tempdir().unwrap();
        let users = Databases::open_or_fill(folder.path()).unwrap().users;
        let ctx = Context::background().with_cancel();
        let result = users.stoppable(&ctx, |conn| {
            ctx.cancel();
            Ok(conn.query_row("SELECT sum(id) FROM users", [], |row| row.get::<_, i64>(0))?)
        });
        assert!(
            matches!(result, Err(QueryError::Cancelled(_))),
            "{result:?}"
        );
    }
}
