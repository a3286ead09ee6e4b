//! tokio-rusqlite 0.8: a thread of its own for each connection.

use std::time::Duration;

use tokio_ctx_core::{Cancelled, Context};
use tokio_rusqlite::{Connection, Error, rusqlite};

// RECIPE
/// Runs `work` on the thread of `db`; SQLite asks the context every thousand instructions.
///
/// When the future is dropped, its context ends, and so does the statement.
async fn under<T: Send + 'static>(
    ctx: &Context,
    db: &Connection,
    work: impl FnOnce(&mut rusqlite::Connection) -> rusqlite::Result<T> + Send + 'static,
) -> Result<Result<T, Error>, Cancelled> {
    let own = ctx.with_cancel();
    let ctx = Context::clone(&own);
    let worked = db.call(move |conn| {
        let asking = ctx.clone();
        conn.progress_handler(1_000, Some(move || asking.is_done()))?;
        let worked = match ctx.check() {
            Ok(()) => work(conn),
            Err(_) => Err(rusqlite::Error::InvalidQuery), // waited in line for too long
        };
        conn.progress_handler(0, None::<fn() -> bool>)?;
        if worked.is_err() && ctx.is_done() && !conn.is_autocommit() {
            conn.execute_batch("rollback")?;
        }
        worked
    });
    match worked.await {
        Err(error) => own.check().map(|()| Err(error)),
        worked => Ok(worked),
    }
}
// END

const ENDLESS: &str = "with recursive n(i) as (select 1 union all select i + 1 from n)
                       select count(*) from n";

fn count(conn: &rusqlite::Connection, sql: &str) -> rusqlite::Result<i64> {
    conn.query_row(sql, [], |row| row.get(0))
}

#[tokio::test]
async fn a_query_stops_when_its_context_ends() {
    let db = Connection::open_in_memory().await.unwrap();
    let root = Context::background();
    let soon = root.with_timeout(Duration::from_millis(50));
    let endless = under(&soon, &db, |conn| count(conn, ENDLESS));
    assert!(endless.await.unwrap_err().is_timeout());
    let seven = under(&root, &db, |conn| count(conn, "select 7"));
    assert_eq!(seven.await.unwrap().unwrap(), 7);
}

#[tokio::test]
async fn a_query_stops_when_its_future_is_dropped() {
    let db = Connection::open_in_memory().await.unwrap();
    let root = Context::background();
    let endless = under(&root, &db, |conn| count(conn, ENDLESS));
    assert!(
        tokio::time::timeout(Duration::from_millis(50), endless)
            .await
            .is_err()
    );
    // It would wait for ever behind the other one.
    let seven = under(&root, &db, |conn| count(conn, "select 7"));
    let seven = tokio::time::timeout(Duration::from_secs(20), seven).await;
    assert_eq!(seven.expect("the other one runs on").unwrap().unwrap(), 7);
}

#[tokio::test]
async fn errors_of_the_work_are_its_own() {
    let db = Connection::open_in_memory().await.unwrap();
    let root = Context::background();
    let failed = under(&root, &db, |conn| count(conn, "selec"));
    assert!(
        failed
            .await
            .unwrap()
            .unwrap_err()
            .to_string()
            .contains("syntax")
    );
}
