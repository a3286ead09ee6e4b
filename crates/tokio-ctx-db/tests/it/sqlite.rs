//! SQLite through rusqlite: statements that stop with their context, and nothing after them.

use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode};
use tokio_ctx_core::{CancelGuard, Context};
use tokio_ctx_db::sqlite::{transaction, under};

/// Counts to `n`; endless for all a test knows.
const COUNT: &str = "with recursive n(i) as (select 1 union all select i + 1 from n where i < ?1)
                     select count(*) from n";
const ENDLESS: i64 = 1_000_000_000_000;
const SOON: Duration = Duration::from_millis(20);

fn memory() -> Connection {
    let conn = Connection::open_in_memory().unwrap();
    conn.execute_batch("create table t (a int)").unwrap();
    conn
}

fn count(conn: &Connection, to: i64) -> rusqlite::Result<i64> {
    conn.query_row(COUNT, [to], |row| row.get(0))
}

fn rows(conn: &Connection) -> i64 {
    let sql = "select count(*) from t";
    conn.query_row(sql, [], |row| row.get(0)).unwrap()
}

fn root() -> CancelGuard {
    Context::background().with_cancel()
}

#[test]
fn a_query_stops_when_its_context_ends() {
    let mut conn = memory();
    let ctx = root();
    let handle = ctx.handle();
    let canceller = thread::spawn(move || {
        thread::sleep(SOON);
        handle.cancel_with("the client hung up");
    });
    let cut = under(&ctx, &mut conn, |c| count(c, ENDLESS));
    let error = cut.unwrap_err();
    assert!(error.to_string().contains("the client hung up"), "{error}");
    canceller.join().unwrap();
}

#[test]
fn no_work_is_begun_after_the_end() {
    let mut conn = memory();
    let ctx = root();
    ctx.cancel();
    let refused = under(&ctx, &mut conn, |_| -> Result<(), ()> { unreachable!() });
    assert!(refused.unwrap_err().cancelled().is_some());
}

/// What the interrupt handle gets wrong: it is lost before a statement, and hits the next one.
#[test]
fn an_end_between_two_statements_hits_the_second_and_nobody_after_it() {
    let mut conn = memory();
    for _ in 0..100 {
        let ctx = root();
        let cut = under(&ctx, &mut conn, |c| {
            let mut half_read = c.prepare("values (1), (2)")?;
            let mut half_read = half_read.query([])?;
            half_read.next()?;
            ctx.cancel();
            count(c, ENDLESS)
        });
        assert!(cut.unwrap_err().cancelled().is_some());
        assert_eq!(count(&conn, 50_000), Ok(50_000));
    }
}

#[test]
fn a_wait_for_a_lock_stops_when_its_context_ends() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("locked.db");
    let holder = Connection::open(&file).unwrap();
    holder
        .execute_batch("create table t (a int); begin immediate")
        .unwrap();
    let mut waiter = Connection::open(&file).unwrap();
    let began = Instant::now();
    let ctx = Context::background().with_timeout(SOON);
    let cut = under(&ctx, &mut waiter, |c| {
        c.execute("insert into t values (1)", [])
    });
    assert!(cut.unwrap_err().cancelled().unwrap().is_timeout());
    assert!(
        began.elapsed() < Duration::from_secs(4),
        "it waited for the busy timeout"
    );
    holder.execute_batch("commit").unwrap();
    waiter.execute("insert into t values (1)", []).unwrap();
}

#[test]
fn a_lock_that_is_given_up_in_time_is_taken() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("shared.db");
    let holder = Connection::open(&file).unwrap();
    holder
        .execute_batch("create table t (a int); begin immediate")
        .unwrap();
    let mut waiter = Connection::open(&file).unwrap();
    let other = thread::spawn(move || {
        thread::sleep(SOON);
        holder.execute_batch("commit").unwrap();
    });
    let ctx = root();
    let inserted = transaction(&ctx, &mut waiter, |tx| {
        tx.execute("insert into t values (1)", [])
    });
    assert_eq!(inserted.unwrap().unwrap(), 1);
    other.join().unwrap();
    assert_eq!(rows(&waiter), 1);
}

/// A write that is cut rolls its whole transaction back, and SQLite would commit what follows.
#[test]
fn a_transaction_that_a_cut_has_rolled_back_takes_no_further_statements() {
    let mut conn = memory();
    let ctx = Context::background().with_timeout(SOON);
    let cut = under(&ctx, &mut conn, |c| {
        let tx = c.transaction()?;
        tx.execute("insert into t values (1)", [])?;
        let sql = "insert into t with recursive n(i) as
                   (select 1 union all select i + 1 from n where i < ?1) select i from n";
        let error = tx.execute(sql, [ENDLESS]).unwrap_err();
        assert_eq!(
            error.sqlite_error_code(),
            Some(ErrorCode::OperationInterrupted)
        );
        assert!(tx.is_autocommit(), "SQLite rolled it back");
        // Small, so that the progress handler is not even asked.
        tx.execute("insert into t values (2)", [])?;
        tx.commit()
    });
    assert!(cut.unwrap_err().cancelled().is_some());
    assert_eq!(rows(&conn), 0);
    assert!(conn.is_autocommit());
}

#[test]
fn nothing_is_committed_after_the_end() {
    let mut conn = memory();
    let ctx = root();
    let late = transaction(&ctx, &mut conn, |tx| {
        let inserted = tx.execute("insert into t values (1)", []);
        ctx.cancel();
        inserted
    });
    assert!(late.unwrap_err().cancelled().is_some());
    let ctx = root();
    let late = under(&ctx, &mut conn, |c| {
        ctx.cancel();
        c.execute("insert into t values (1)", [])
    });
    assert!(late.unwrap_err().cancelled().is_some());
    assert_eq!(rows(&conn), 0);
}

#[test]
fn a_begin_by_hand_is_rolled_back_when_something_is_cut() {
    let mut conn = memory();
    let ctx = Context::background().with_timeout(SOON);
    let cut = under(&ctx, &mut conn, |c| {
        c.execute_batch("begin; insert into t values (1)")?;
        count(c, ENDLESS)
    });
    assert!(cut.unwrap_err().cancelled().is_some());
    assert!(conn.is_autocommit());
    assert_eq!(rows(&conn), 0);
}

#[test]
fn a_transaction_is_rolled_back_when_its_work_fails() {
    let mut conn = memory();
    let refused = transaction(&root(), &mut conn, |tx| {
        tx.execute("insert into t values (1)", []).unwrap();
        Err::<(), _>("insufficient funds")
    });
    assert_eq!(refused.unwrap().unwrap_err(), "insufficient funds");
    assert_eq!(rows(&conn), 0);
}

#[test]
fn a_value_is_given_back_whatever_the_context_says() {
    let mut conn = memory();
    let ctx = root();
    let value = under(&ctx, &mut conn, |c| {
        ctx.cancel();
        Ok::<_, ()>(count(c, ENDLESS).is_err())
    });
    assert!(value.unwrap().unwrap(), "the work has handled it");
}

#[test]
fn errors_of_the_work_are_its_own() {
    let mut conn = memory();
    let failed = under(&root(), &mut conn, |c| c.execute("selec", []));
    assert!(failed.unwrap().is_err());
}

#[test]
fn the_hooks_are_gone_afterwards_also_after_a_panic() {
    let mut conn = memory();
    let ctx = root();
    let work = std::panic::AssertUnwindSafe(|| {
        under(&ctx, &mut conn, |_| -> Result<(), ()> {
            panic!("a fault of the work")
        })
    });
    assert!(std::panic::catch_unwind(work).is_err());
    ctx.cancel();
    assert_eq!(count(&conn, 50_000), Ok(50_000));
    conn.execute("insert into t values (1)", []).unwrap();
    assert_eq!(rows(&conn), 1);
}

/// SQLite's own interrupt, without us: the left column of `docs/appendix/drivers.md`.
#[test]
fn an_interrupt_of_sqlite_is_lost_before_a_statement_and_hits_the_next_one_beside_another() {
    let conn = memory();
    let interrupt = conn.get_interrupt_handle();
    interrupt.interrupt();
    assert!(count(&conn, 1_000).is_ok(), "nothing ran, so it was lost");

    // One statement is half read, and is never stepped again.
    let sql = "with recursive n(i) as (select 1 union all select i + 1 from n) select i from n";
    let mut half_read = conn.prepare(sql).unwrap();
    let mut rows = half_read.query([]).unwrap();
    rows.next().unwrap();
    interrupt.interrupt();
    assert!(count(&conn, 1_000).is_err(), "the next statement was hit");
}
