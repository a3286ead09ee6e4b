//! Rules 1, 2, 3, 9 and 11, and that cancels leave everything else as it was.

use std::time::Duration;

use tokio_ctx_core::Context;
use tokio_ctx_db::Settings;
use tokio_postgres::error::SqlState;

use super::proxy::{Fate, Proxy};
use super::support::{SLEEP, pid, with_server};

const SOON: Duration = Duration::from_millis(50);

/// Rule 1.
#[test]
fn no_work_is_begun_after_the_end_of_its_context() {
    with_server(async |server| {
        let pool = server.pool(1);
        let mut db = pool.get(&Context::background()).await.unwrap();
        let ctx = Context::background().with_cancel();
        ctx.cancel_with("closing time");
        let work = db.under(&ctx, async |_| unreachable!("it is never polled"));
        let error = work.await.map(|(): ()| ()).unwrap_err();
        assert!(error.to_string().contains("closing time"), "{error}");
        let work = db.transaction(&ctx, async |_| -> Result<(), ()> {
            unreachable!("it is never polled")
        });
        assert!(work.await.unwrap_err().cancelled().is_some());
        assert!(pool.get(&ctx).await.unwrap_err().cancelled().is_some());
        assert_eq!(pool.counts().cuts, 0);
    });
}

/// Rule 2: work takes its session out of the pool, and keeps it there until it is clean.
#[test]
fn a_session_has_one_user_until_it_is_clean() {
    const LATE: Duration = Duration::from_millis(400);
    with_server(async |server| {
        let proxy = Proxy::start(server.postgres.port(), &[Fate::Late(LATE)]).await;
        let pool = server.pool_with(1, &proxy.config);
        let ctx = Context::background();
        let free = || pool.inner().status().available;
        let mut db = pool.get(&ctx).await.unwrap();
        let work = db.under(&ctx, async |c| c.query(SLEEP, &[]).await);
        let seen = async {
            server.wait_running(SLEEP, 1).await;
            assert_eq!(free(), 0);
        };
        tokio::select! {
            _ = work => unreachable!("it sleeps"),
            () = seen => {}
        }
        drop(db);
        // It is in nobody's hands now, and not clean.
        let early = pool.get(&ctx.with_timeout(SOON)).await;
        assert!(early.unwrap_err().cancelled().is_some());
        assert_eq!(free(), 0);
        drop(pool.get(&ctx).await.unwrap());
        assert_eq!((free(), pool.counts().cleaned), (1, 1));
    });
}

/// Rule 3.
#[test]
fn a_query_has_stopped_at_the_server_when_its_caller_is_answered() {
    with_server(async |server| {
        const MINE: &str = "select pg_sleep(601)";
        let pool = server.pool(1);
        let ctx = Context::background().with_cancel();
        let mut db = pool.get(&ctx).await.unwrap();
        let handle = ctx.handle();
        let (cut, ()) = tokio::join!(db.under(&ctx, async |c| c.query(MINE, &[]).await), async {
            server.wait_running(MINE, 1).await;
            handle.cancel_with("the client hung up");
        });
        assert_eq!(server.running(MINE).await, 0);
        let error = cut.unwrap_err();
        assert!(error.to_string().contains("the client hung up"), "{error}");
        assert_eq!(pool.counts().cleaned, 1);
    });
}

#[test]
fn a_wait_for_a_lock_is_cut_as_well() {
    with_server(async |server| {
        server.run("create table locked (a int)").await;
        let pool = server.pool(2);
        let ctx = Context::background();
        let mut holder = pool.get(&ctx).await.unwrap();
        let mut waiter = pool.get(&ctx).await.unwrap();
        const LOCK: &str = "lock table locked";
        let held = holder.transaction(&ctx, async |tx| {
            tx.batch_execute(LOCK).await?;
            let soon = ctx.with_timeout(SOON);
            let waited = waiter.transaction(&soon, async |tx| tx.batch_execute(LOCK).await);
            assert!(waited.await.unwrap_err().cancelled().is_some());
            Ok::<_, tokio_postgres::Error>(server.running(LOCK).await)
        });
        assert_eq!(held.await.unwrap().unwrap(), 0);
    });
}

/// Rule 9: work that takes no notice of cancels.
#[test]
fn what_does_not_stop_within_its_grace_is_closed() {
    const DEAF: &str = "do $$ begin loop begin perform pg_sleep(600);
                        exception when query_canceled then null; end; end loop; end $$";
    with_server(async |server| {
        let grace = Duration::from_millis(300);
        let pool = server
            .pool(1)
            .with_settings(Settings::default().grace(grace));
        let ctx = Context::background();
        let mut db = pool.get(&ctx).await.unwrap();
        let before = db.under(&ctx, async |c| pid(c).await).await.unwrap();
        let began = std::time::Instant::now();
        let soon = ctx.with_timeout(SOON);
        let work = db.under(&soon, async |c| c.batch_execute(DEAF).await);
        assert!(work.await.unwrap_err().cancelled().is_some());
        assert!(began.elapsed() >= grace);
        assert!(db.is_closed());
        let refused = db.under(&ctx, async |_| unreachable!("there is no connection"));
        assert!(refused.await.map(|(): ()| ()).unwrap_err().is_closed());
        assert_eq!(pool.counts().lost_to_grace, 1);
        // Its place in the pool is free.
        let mut next = pool.get(&ctx).await.unwrap();
        let after = next.under(&ctx, async |c| pid(c).await).await.unwrap();
        assert_ne!(before, after);
        server
            .run(&format!("select pg_terminate_backend({before})"))
            .await;
    });
}

/// Rule 9: a server that cannot be reached for a cancel.
#[test]
fn a_connection_whose_cancel_cannot_be_sent_is_closed_after_the_grace() {
    with_server(async |server| {
        let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut config = tokio_postgres::Config::new();
        config
            .host("127.0.0.1")
            .port(nobody.local_addr().unwrap().port());
        drop(nobody);
        let grace = Duration::from_millis(300);
        let pool = server
            .pool_with(1, &config)
            .with_settings(Settings::default().grace(grace));
        let ctx = Context::background();
        let mut db = pool.get(&ctx).await.unwrap();
        let before = db.under(&ctx, async |c| pid(c).await).await.unwrap();
        let soon = ctx.with_timeout(SOON);
        let work = db.under(&soon, async |c| c.query(SLEEP, &[]).await);
        assert!(work.await.is_err());
        assert!(db.is_closed());
        assert_eq!((pool.counts().lost_to_grace, pool.counts().cancels), (1, 0));
        server
            .run(&format!("select pg_terminate_backend({before})"))
            .await;
    });
}

/// Rule 11.
#[test]
fn a_timeout_of_the_server_is_the_works_own_error() {
    with_server(async |server| {
        let pool = server.pool(1);
        let ctx = Context::background().with_timeout(Duration::from_secs(20));
        let mut db = pool.get(&ctx).await.unwrap();
        let work = db.under(&ctx, async |c| {
            c.batch_execute("set statement_timeout = 20").await?;
            c.query(SLEEP, &[]).await
        });
        let error = work.await.expect("its context lives").unwrap_err();
        assert_eq!(error.code(), Some(&SqlState::QUERY_CANCELED));
        assert_eq!(pool.counts().cuts, 0);
    });
}

#[test]
fn prepared_statements_survive_a_cut() {
    with_server(async |server| {
        let pool = server.pool(1);
        let ctx = Context::background();
        let mut db = pool.get(&ctx).await.unwrap();
        let prepare = async |c: &mut tokio_ctx_db::postgres::Client| {
            let statement = c.prepare_cached("select $1::int + 1").await?;
            let row = c.query_one(&statement, &[&41]).await?;
            assert_eq!(row.get::<_, i32>(0), 42);
            let row = c
                .query_one("select count(*) from pg_prepared_statements", &[])
                .await?;
            Ok::<i64, tokio_postgres::Error>(row.get(0))
        };
        let before = db.under(&ctx, prepare).await.unwrap().unwrap();
        let soon = ctx.with_timeout(SOON);
        let work = db.under(&soon, async |c| c.query(SLEEP, &[]).await);
        assert!(work.await.is_err());
        let after = db.under(&ctx, prepare).await.unwrap().unwrap();
        assert!(before >= 1);
        // The query that was cut leaves its own behind, as everywhere in this driver.
        assert!(after >= before, "{before} before, {after} after");
        let size = db.under(&ctx, async |c| c.statement_cache.size()).await;
        assert_eq!(size.unwrap(), 1);
    });
}

#[test]
fn a_session_goes_on_listening_after_a_cut() {
    with_server(async |server| {
        let pool = server.pool(1);
        let ctx = Context::background();
        let mut db = pool.get(&ctx).await.unwrap();
        let listening = db.under(&ctx, async |c| c.batch_execute("listen news").await);
        listening.await.unwrap().unwrap();
        let soon = ctx.with_timeout(SOON);
        let work = db.under(&soon, async |c| c.query(SLEEP, &[]).await);
        assert!(work.await.is_err());
        let channels = db.under(&ctx, async |c| {
            c.query_one("select pg_listening_channels()", &[]).await
        });
        let channel: String = channels.await.unwrap().unwrap().get(0);
        assert_eq!(channel, "news");
    });
}

#[test]
fn the_wait_for_a_connection_ends_with_its_context() {
    with_server(async |server| {
        let pool = server.pool(1);
        let ctx = Context::background();
        let held = pool.get(&ctx).await.unwrap();
        let error = pool.get(&ctx.with_timeout(SOON)).await.unwrap_err();
        assert!(error.cancelled().expect("it was too long").is_timeout());
        drop(held);
        assert!(pool.get(&ctx).await.is_ok());
    });
}

#[test]
fn what_the_work_returns_is_given_back_as_it_is() {
    with_server(async |server| {
        let pool = server.pool(1);
        let ctx = Context::background();
        let mut db = pool.get(&ctx).await.unwrap();
        let failed = db.under(&ctx, async |c| c.query("selec", &[]).await);
        let error = failed.await.unwrap().unwrap_err();
        assert_eq!(error.code(), Some(&SqlState::SYNTAX_ERROR));
        let seven = db.under(&ctx, async |_| 7).await.unwrap();
        assert_eq!(seven, 7);
    });
}
