//! Transactions, and rule 12: a COMMIT is never cut.

use std::time::Duration;

use tokio::time::timeout;
use tokio_ctx_core::Context;
use tokio_ctx_db::Settings;
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use super::support::{PATIENCE, SLEEP, Server, assert_idle, with_server};

const SOON: Duration = Duration::from_millis(50);

/// A table whose rows take `seconds` at COMMIT.
async fn slow_commit(server: &Server, table: &str, seconds: f64) {
    let sql = format!(
        "create table {table} (a int);
         create function {table}_slow() returns trigger language plpgsql as
             'begin perform pg_sleep({seconds}); return null; end';
         create constraint trigger slow after insert on {table}
             deferrable initially deferred for each row execute function {table}_slow()"
    );
    server.run(&sql).await;
}

async fn rows(server: &Server, table: &str) -> i64 {
    server.count(&format!("select count(*) from {table}")).await
}

#[test]
fn a_transaction_is_committed_when_its_work_is_ok() {
    with_server(async |server| {
        server.run("create table committed (a int)").await;
        let pool = server.pool(1);
        let ctx = Context::background();
        let mut db = pool.get(&ctx).await.unwrap();
        let inserted = db.transaction(&ctx, async |tx| {
            tx.execute("insert into committed values (1)", &[]).await
        });
        assert_eq!(inserted.await.unwrap().unwrap(), 1);
        assert_eq!(rows(&server, "committed").await, 1);
    });
}

#[test]
fn a_transaction_is_rolled_back_when_its_work_fails() {
    with_server(async |server| {
        server.run("create table refused (a int)").await;
        let pool = server.pool(1);
        let ctx = Context::background();
        let mut db = pool.get(&ctx).await.unwrap();
        let refused = db.transaction(&ctx, async |tx| {
            let inserted = tx.execute("insert into refused values (1)", &[]).await;
            inserted.map_err(|error| error.to_string())?;
            Err::<(), _>("insufficient funds".to_owned())
        });
        assert_eq!(refused.await.unwrap().unwrap_err(), "insufficient funds");
        assert_eq!(rows(&server, "refused").await, 0);
        assert_eq!(pool.counts().cuts, 0);
    });
}

#[test]
fn a_transaction_that_is_cut_is_rolled_back() {
    with_server(async |server| {
        server.run("create table cut (a int)").await;
        let pool = server.pool(1);
        let ctx = Context::background();
        let mut db = pool.get(&ctx).await.unwrap();
        for is_dropped in [false, true] {
            let soon = ctx.with_timeout(SOON);
            let work = db.transaction(if is_dropped { &ctx } else { &soon }, async |tx| {
                tx.execute("insert into cut values (1)", &[]).await?;
                tx.query(SLEEP, &[]).await
            });
            let limit = if is_dropped { SOON * 4 } else { PATIENCE };
            match timeout(limit, work).await {
                Ok(cut) => assert!(cut.unwrap_err().cancelled().is_some()),
                Err(_) => assert!(is_dropped),
            }
            assert_idle(&mut db).await;
        }
        assert_eq!(rows(&server, "cut").await, 0);
    });
}

#[test]
fn a_begin_by_hand_is_rolled_back_when_it_is_cut() {
    with_server(async |server| {
        server.run("create table by_hand (a int)").await;
        let pool = server.pool(1);
        let ctx = Context::background();
        let mut db = pool.get(&ctx).await.unwrap();
        let soon = ctx.with_timeout(SOON);
        let work = db.under(&soon, async |c| {
            c.batch_execute("begin; insert into by_hand values (1)")
                .await?;
            c.query(SLEEP, &[]).await
        });
        assert!(work.await.is_err());
        let work = db.under(&ctx, async |c| c.batch_execute("commit").await);
        work.await.unwrap().unwrap();
        assert_eq!(rows(&server, "by_hand").await, 0);
    });
}

#[test]
fn a_savepoint_is_rolled_back_alone() {
    with_server(async |server| {
        server.run("create table saved (a int)").await;
        let pool = server.pool(1);
        let ctx = Context::background();
        let mut db = pool.get(&ctx).await.unwrap();
        let work = db.transaction(&ctx, async |tx| {
            let inserted = tx.execute("insert into saved values (1)", &[]).await;
            inserted.unwrap();
            let undone = tx.savepoint(async |tx| {
                let inserted = tx.execute("insert into saved values (2)", &[]).await;
                Err::<(), _>(inserted.unwrap())
            });
            assert_eq!(undone.await?.unwrap_err(), 1);
            let kept = tx.savepoint(async |tx| {
                let insert = "insert into saved values (3)";
                tx.savepoint(async |tx| tx.execute(insert, &[]).await).await
            });
            assert_eq!(kept.await?.unwrap().unwrap(), 1);
            Ok::<(), tokio_ctx_db::Error>(())
        });
        work.await.unwrap().unwrap();
        assert_eq!(server.count("select sum(a) from saved").await, 4);
    });
}

#[test]
fn a_transaction_with_a_savepoint_left_half_way_is_not_committed() {
    with_server(async |server| {
        server.run("create table spoiled (a int)").await;
        let pool = server.pool(1);
        let ctx = Context::background();
        let mut db = pool.get(&ctx).await.unwrap();
        let work = db.transaction(&ctx, async |tx| {
            let inner = tx.savepoint(async |tx| {
                tx.execute("insert into spoiled values (1)", &[]).await?;
                std::future::pending::<Result<(), Error>>().await
            });
            assert!(timeout(SOON, inner).await.is_err());
            Ok::<(), ()>(())
        });
        let error = work.await.unwrap_err();
        assert!(error.to_string().contains("half-way"), "{error}");
        assert_idle(&mut db).await;
        assert_eq!(rows(&server, "spoiled").await, 0);
    });
}

/// Rule 12: the caller is told what the server says.
#[test]
fn a_commit_that_is_under_way_when_its_context_ends_gives_its_output() {
    with_server(async |server| {
        slow_commit(&server, "slow", 0.4).await;
        let pool = server.pool(1);
        let ctx = Context::background();
        let mut db = pool.get(&ctx).await.unwrap();
        let soon = ctx.with_timeout(SOON * 3);
        let work = db.transaction(&soon, async |tx| {
            tx.execute("insert into slow values (1)", &[]).await
        });
        assert_eq!(work.await.unwrap().unwrap(), 1);
        assert!(soon.is_done());
        assert_eq!(rows(&server, "slow").await, 1);
        assert_eq!(pool.counts(), tokio_ctx_db::Counts::default());
    });
}

/// Rule 12: neither does a drop of the future.
#[test]
fn a_commit_goes_on_when_its_future_is_dropped() {
    with_server(async |server| {
        slow_commit(&server, "dropped", 0.4).await;
        let pool = server.pool(1);
        let ctx = Context::background();
        let mut db = pool.get(&ctx).await.unwrap();
        let work = db.transaction(&ctx, async |tx| {
            tx.execute("insert into dropped values (1)", &[]).await
        });
        tokio::select! {
            _ = work => unreachable!("it takes much longer"),
            () = server.wait_running("COMMIT", 1) => {}
        }
        drop(db);
        pool.get(&ctx).await.unwrap();
        assert_eq!(rows(&server, "dropped").await, 1);
        assert_eq!((pool.counts().cancels, pool.counts().cleaned), (0, 1));
    });
}

/// Rule 12: after the grace, what the caller is told is that nobody knows.
#[test]
fn a_commit_that_is_not_answered_within_the_grace_is_unknown() {
    with_server(async |server| {
        slow_commit(&server, "unknown", 1.5).await;
        let grace = Settings::default().grace(Duration::from_millis(200));
        let pool = server.pool(1).with_settings(grace);
        let ctx = Context::background();
        let mut db = pool.get(&ctx).await.unwrap();
        let soon = ctx.with_timeout(SOON * 3);
        let work = db.transaction(&soon, async |tx| {
            tx.execute("insert into unknown values (1)", &[]).await
        });
        let error = work.await.unwrap_err();
        assert!(
            error.is_commit_unknown() && error.cancelled().is_some(),
            "{error}"
        );
        assert!(db.is_closed());
        // This one was committed after all.
        while rows(&server, "unknown").await == 0 {}
    });
}

/// Rule 11: a COMMIT that the server refuses with the code of a cancel.
#[test]
fn a_commit_that_the_server_cancels_by_itself_is_the_servers_error() {
    with_server(async |server| {
        slow_commit(&server, "refusing", 0.0).await;
        let refuse = "create or replace function refusing_slow() returns trigger language plpgsql
                      as 'begin raise exception using errcode = ''57014''; end'";
        server.run(refuse).await;
        let pool = server.pool(1);
        let ctx = Context::background();
        let mut db = pool.get(&ctx).await.unwrap();
        let work = db.transaction(&ctx, async |tx| {
            tx.execute("insert into refusing values (1)", &[]).await
        });
        let error = work.await.unwrap_err();
        assert!(error.cancelled().is_none() && !error.is_commit_unknown());
        let source = std::error::Error::source(&error);
        let source = source.and_then(|source| source.downcast_ref::<Error>());
        let code = source.and_then(Error::code);
        assert_eq!(code, Some(&SqlState::QUERY_CANCELED), "{error}");
        assert_idle(&mut db).await;
        assert_eq!(rows(&server, "refusing").await, 0);
        assert_eq!(pool.counts(), tokio_ctx_db::Counts::default());
    });
}

#[test]
fn a_transaction_is_not_committed_after_the_end_of_its_context() {
    with_server(async |server| {
        server.run("create table late (a int)").await;
        let pool = server.pool(1);
        let ctx = Context::background().with_cancel();
        let mut db = pool.get(&ctx).await.unwrap();
        let work = db.transaction(&ctx, async |tx| {
            let inserted = tx.execute("insert into late values (1)", &[]).await;
            ctx.cancel();
            inserted
        });
        assert!(work.await.unwrap_err().cancelled().is_some());
        assert_eq!(rows(&server, "late").await, 0);
        let never: Result<Result<(), Error>, _> = db.transaction(&ctx, async |_| Ok(())).await;
        assert!(never.is_err());
    });
}
