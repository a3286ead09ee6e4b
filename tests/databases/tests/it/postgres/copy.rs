//! COPY in both directions, cut and dropped in the middle.

use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio::time::timeout;
use tokio_ctx_core::Context;
use tokio_ctx_db::postgres::{Client, Connection, Pool};

use super::support::{PATIENCE, Server, assert_idle, first, with_server};

const SOON: Duration = Duration::from_millis(60);

/// Nothing runs, no transaction is open, and the connection is the one it was.
async fn assert_clean(server: &Server, db: &mut Connection, sql: &str) {
    assert_idle(db).await;
    assert_eq!(server.running(sql).await, 0);
}

#[test]
fn copy_from_a_slow_client_is_cut() {
    with_server(async |server| {
        const COPY: &str = "copy slow_in from stdin";
        server.run("create table slow_in (a text)").await;
        let pool = server.pool(1);
        let ctx = Context::background();
        let mut db = pool.get(&ctx).await.unwrap();
        for is_dropped in [false, true] {
            let soon = ctx.with_timeout(SOON);
            let work = db.under(if is_dropped { &ctx } else { &soon }, async |c| {
                let mut sink = pin!(c.copy_in::<_, Bytes>(COPY).await?);
                loop {
                    sink.send(Bytes::from_static(b"line\n")).await?;
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                #[expect(unreachable_code, reason = "the type of what never returns")]
                Ok::<(), tokio_postgres::Error>(())
            });
            let limit = if is_dropped { SOON * 3 } else { PATIENCE };
            match timeout(limit, work).await {
                Ok(cut) => assert!(cut.unwrap_err().cancelled().is_some()),
                Err(_) => assert!(is_dropped),
            }
            assert_clean(&server, &mut db, COPY).await;
        }
        assert_eq!(server.count("select count(*) from slow_in").await, 0);
        assert_eq!(pool.counts().cleaned, 2);
    });
}

#[test]
fn copy_to_a_slow_client_is_cut() {
    with_server(async |server| {
        const COPY: &str =
            "copy (select repeat('x', 1000) from generate_series(1, 100000000)) to stdout";
        let pool = server.pool(1);
        let ctx = Context::background();
        let mut db = pool.get(&ctx).await.unwrap();
        for is_dropped in [false, true] {
            let soon = ctx.with_timeout(SOON);
            let work = db.under(if is_dropped { &ctx } else { &soon }, async |c| {
                let mut stream = pin!(c.copy_out(COPY).await?);
                while let Some(chunk) = stream.next().await {
                    chunk?;
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                Ok::<(), tokio_postgres::Error>(())
            });
            let limit = if is_dropped { SOON * 3 } else { PATIENCE };
            match timeout(limit, work).await {
                Ok(cut) => assert!(cut.unwrap_err().cancelled().is_some()),
                Err(_) => assert!(is_dropped),
            }
            assert_clean(&server, &mut db, COPY).await;
        }
        assert_eq!(pool.counts().cleaned, 2);
    });
}

#[test]
fn copy_that_is_not_cut_is_whole() {
    with_server(async |server| {
        server.run("create table whole (a text)").await;
        let pool = server.pool(1);
        let ctx = Context::background();
        let mut db = pool.get(&ctx).await.unwrap();
        let written = db.under(&ctx, async |c| {
            let mut sink = pin!(c.copy_in("copy whole from stdin").await?);
            sink.send(Bytes::from_static(b"one\ntwo\n")).await?;
            sink.finish().await
        });
        assert_eq!(written.await.unwrap().unwrap(), 2);
        assert_eq!(server.count("select count(*) from whole").await, 2);
    });
}

/// It waits for a lock, so the server takes no data yet when it is cut. tokio-postgres says Sync
/// twice then, and does not count the second answer: the connection is of no use any more, and
/// its next user must not get that answer.
#[test]
fn copy_is_cut_before_it_has_begun_and_nobody_gets_its_answers() {
    with_server(async |server| {
        const COPY: &str = "copy locked_in from stdin";
        server.run("create table locked_in (a text)").await;
        let pool = server.pool(2);
        let ctx = Context::background();
        let mut holder = pool.get(&ctx).await.unwrap();
        let held = holder.transaction(&ctx, async |tx| {
            tx.batch_execute("lock table locked_in").await?;
            for number in 0..10 {
                let mut db = pool.get(&ctx).await.unwrap();
                let soon = ctx.with_timeout(SOON);
                let work = db.under(&soon, async |c| {
                    let sink = c.copy_in::<_, Bytes>(COPY).await?;
                    drop(sink);
                    Ok::<(), tokio_postgres::Error>(())
                });
                assert!(work.await.unwrap_err().cancelled().is_some());
                if db.is_closed() {
                    db = pool.get(&ctx).await.unwrap();
                }
                let next = db.under(&ctx, async |c| {
                    c.simple_query(&format!("select {number}")).await
                });
                let answer = next.await.unwrap().unwrap();
                assert_eq!(first(&answer), Some(&*number.to_string()));
            }
            Ok::<(), tokio_postgres::Error>(())
        });
        held.await.unwrap().unwrap();
        let counts = pool.counts();
        assert_eq!(
            counts.cuts,
            counts.cleaned + counts.lost_to_server,
            "{counts:?}"
        );
        assert_eq!(server.running(COPY).await, 0);
    });
}

/// Several tests make it, at the same time.
const NUMBERS: &str = "select pg_advisory_lock(5); create table if not exists numbers (a int); \
                       select pg_advisory_unlock(5)";

/// How the server refuses a COPY, with the statement for it.
const REFUSED: [&str; 2] = [
    // Before it takes the data: tokio-postgres says Sync twice then.
    "copy there_is_no_such_table from stdin",
    // While it takes the data, at a line of its own choice.
    "copy numbers from stdin",
];

async fn copy_nonsense(c: &Client, sql: &str) -> Result<(), tokio_postgres::Error> {
    let mut sink = pin!(c.copy_in::<_, Bytes>(sql).await?);
    for _ in 0..50 {
        sink.send(Bytes::from_static(b"not a number\n")).await?;
    }
    sink.finish().await.map(drop)
}

/// Asks three connections for a number each, and gets it.
async fn assert_answers_are_their_own(pool: &Pool) {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let ctx = Context::background();
    for _ in 0..3 {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed).to_string();
        let mut db = pool.get(&ctx).await.unwrap();
        let sql = format!("select {number}");
        let answer = db.under(&ctx, async |c| c.simple_query(&sql).await);
        let answer = answer.await.unwrap().unwrap();
        assert_eq!(first(&answer), Some(&*number));
        assert_idle(&mut db).await;
    }
}

#[test]
fn copy_that_is_refused_gives_no_answer_to_the_next_user() {
    with_server(async |server| {
        server.run(NUMBERS).await;
        let pool = server.pool(1);
        let ctx = Context::background();
        for round in 0..20 {
            let sql = REFUSED[round % 2];
            let mut db = pool.get(&ctx).await.unwrap();
            let refused = db.under(&ctx, async |c| copy_nonsense(c, sql).await);
            refused.await.unwrap().unwrap_err();
            if round % 4 < 2 {
                drop(db);
            } else if let Err(error) = db.under(&ctx, async |_| ()).await {
                assert!(error.is_closed());
                drop(db);
            } else {
                assert_idle(&mut db).await;
                drop(db);
            }
            assert_answers_are_their_own(&pool).await;
        }
        let counts = pool.counts();
        assert_eq!(counts.cuts, counts.cleaned + counts.lost());
    });
}

#[test]
fn copy_that_is_refused_in_a_transaction_undoes_it_and_says_why() {
    with_server(async |server| {
        server.run(NUMBERS).await;
        server.run("create table undone (a int)").await;
        let pool = server.pool(1);
        let ctx = Context::background();
        for round in 0..20 {
            let sql = REFUSED[round % 2];
            let mut db = pool.get(&ctx).await.unwrap();
            let refused = db.transaction(&ctx, async |tx| {
                tx.batch_execute("insert into undone values (1)").await?;
                copy_nonsense(tx, sql).await
            });
            let error = refused.await.unwrap().unwrap_err();
            assert!(error.as_db_error().is_some(), "{error:?}");
            assert_eq!(server.count("select count(*) from undone").await, 0);
            drop(db);
            assert_answers_are_their_own(&pool).await;
        }
    });
}

/// PostgreSQL answers the COMMIT of a transaction that has failed with a ROLLBACK, and no driver
/// takes that for an error.
#[test]
fn copy_that_is_refused_and_the_refusal_ignored_commits_nothing() {
    with_server(async |server| {
        server.run(NUMBERS).await;
        server.run("create table ignored (a int)").await;
        let pool = server.pool(1);
        let ctx = Context::background();
        for round in 0..20 {
            let sql = REFUSED[round % 2];
            let mut db = pool.get(&ctx).await.unwrap();
            let ignored = db.transaction(&ctx, async |tx| {
                tx.batch_execute("insert into ignored values (1)").await?;
                let _ = copy_nonsense(tx, sql).await;
                Ok::<(), tokio_postgres::Error>(())
            });
            let error = ignored.await.unwrap_err();
            assert!(error.to_string().contains("has failed"), "{error}");
            drop(db);
            assert_answers_are_their_own(&pool).await;
            assert_eq!(server.count("select count(*) from ignored").await, 0);
        }
    });
}

#[test]
fn copy_that_ends_well_keeps_its_connection_and_its_transaction() {
    with_server(async |server| {
        server.run("create table well (a text)").await;
        let pool = server.pool(1);
        let ctx = Context::background();
        let mut db = pool.get(&ctx).await.unwrap();
        let copied = db.transaction(&ctx, async |tx| {
            let mut sink = pin!(tx.copy_in("copy well from stdin").await?);
            sink.send(Bytes::from_static(b"one\ntwo\n")).await?;
            sink.finish().await
        });
        assert_eq!(copied.await.unwrap().unwrap(), 2);
        assert_eq!(server.count("select count(*) from well").await, 2);
        let counts = pool.counts();
        assert_eq!((counts.cuts, counts.lost()), (0, 0));
        assert!(!db.is_closed());
    });
}
