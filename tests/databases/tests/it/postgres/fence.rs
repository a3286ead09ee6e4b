//! Rules 4 to 8: cancels that are late, lost, never answered, or hit the clean-up itself.

use std::time::Duration;

use tokio_ctx_core::Context;
use tokio_ctx_db::Settings;

use super::proxy::{Fate, Proxy};
use super::support::{SLEEP, pid, with_server};

const LATE: Duration = Duration::from_millis(300);

/// Rule 4.
#[test]
fn a_cancel_that_is_late_never_hits_the_next_query() {
    with_server(async |server| {
        let proxy = Proxy::start(server.postgres.port(), &[Fate::Late(LATE)]).await;
        let pool = server.pool_with(1, &proxy.config);
        let ctx = Context::background();
        let mut db = pool.get(&ctx).await.unwrap();
        // It ends by itself, long before its cancel arrives.
        let soon = ctx.with_timeout(Duration::from_millis(50));
        let work = db.under(&soon, async |c| c.query("select pg_sleep(0.1)", &[]).await);
        assert!(work.await.unwrap_err().cancelled().is_some());
        assert_eq!(proxy.under_way(), 0, "the cancel is not over yet");
        let next = db.under(&ctx, async |c| c.query("select pg_sleep(0.5)", &[]).await);
        next.await.unwrap().expect("nobody cancels the next query");
        assert_eq!(pool.counts().cleaned, 1);
    });
}

/// The same where the next user is another one, of the same pool.
#[test]
fn a_connection_is_not_given_back_while_a_cancel_of_it_is_under_way() {
    with_server(async |server| {
        let proxy = Proxy::start(server.postgres.port(), &[Fate::Late(LATE)]).await;
        let pool = server.pool_with(1, &proxy.config);
        let ctx = Context::background();
        let mut db = pool.get(&ctx).await.unwrap();
        let work = db.under(&ctx, async |c| c.query("select pg_sleep(0.1)", &[]).await);
        let soon = Duration::from_millis(50);
        assert!(tokio::time::timeout(soon, work).await.is_err());
        drop(db);
        let mut next = pool.get(&ctx).await.unwrap();
        assert_eq!((proxy.begun(), proxy.under_way()), (1, 0));
        let next = next.under(&ctx, async |c| c.query("select pg_sleep(0.5)", &[]).await);
        next.await.unwrap().expect("nobody cancels the next query");
    });
}

/// Rule 5.
#[test]
fn a_cancel_connection_stays_open_until_the_server_closes_it() {
    with_server(async |server| {
        let proxy = Proxy::start(server.postgres.port(), &[Fate::Late(LATE)]).await;
        let pool = server.pool_with(1, &proxy.config);
        let mut db = pool.get(&Context::background()).await.unwrap();
        let soon = Context::background().with_timeout(Duration::from_millis(50));
        let work = db.under(&soon, async |c| c.query(SLEEP, &[]).await);
        assert!(work.await.is_err());
        assert_eq!((proxy.begun(), proxy.half_closed()), (1, 0));
    });
}

/// Rule 6.
#[test]
fn a_cancel_has_a_time_limit_of_its_own() {
    with_server(async |server| {
        let proxy = Proxy::start(server.postgres.port(), &[Fate::Swallowed]).await;
        let limit = Settings::default()
            .grace(Duration::from_secs(20))
            .cancel_timeout(Duration::from_millis(200));
        let pool = server.pool_with(1, &proxy.config).with_settings(limit);
        let mut db = pool.get(&Context::background()).await.unwrap();
        let soon = Context::background().with_timeout(Duration::from_millis(50));
        let began = std::time::Instant::now();
        let work = db.under(&soon, async |c| c.query(SLEEP, &[]).await);
        assert!(work.await.unwrap_err().cancelled().is_some());
        assert!(
            began.elapsed() < Duration::from_secs(10),
            "it waited for the grace"
        );
        assert!(db.is_closed(), "one that may still arrive is no fence");
        assert_eq!(pool.counts().lost_to_cancel, 1);
    });
}

/// Rule 6 as well: a session is never cancelled twice at once.
#[test]
fn cancels_of_one_session_come_one_at_a_time() {
    const SLOW: Fate = Fate::Late(Duration::from_millis(120));
    const MINE: &str = "select pg_sleep(602)";
    with_server(async |server| {
        let first = &[Fate::Lost, SLOW, Fate::Lost, SLOW];
        let proxy = Proxy::start(server.postgres.port(), first).await;
        let pool = server.pool_with(1, &proxy.config);
        let mut db = pool.get(&Context::background()).await.unwrap();
        let soon = Context::background().with_timeout(Duration::from_millis(50));
        // A pipeline: each statement in it needs a cancel of its own.
        let work = db.under(&soon, async |c| {
            tokio::join!(
                c.simple_query(MINE),
                c.simple_query(MINE),
                c.simple_query(MINE)
            )
        });
        assert!(work.await.is_err());
        assert_eq!(server.running(MINE).await, 0);
        // Five if all three statements had reached the server by then.
        assert!(
            proxy.begun() >= 2,
            "the first was lost, so it was followed by another"
        );
        assert_eq!(proxy.most_at_once(), 1);
    });
}

/// Rule 7.
#[test]
fn a_cancel_that_comes_too_early_is_sent_again() {
    with_server(async |server| {
        let proxy = Proxy::start(server.postgres.port(), &[Fate::Lost, Fate::Lost]).await;
        let pool = server.pool_with(1, &proxy.config);
        let ctx = Context::background();
        let mut db = pool.get(&ctx).await.unwrap();
        let before = db.under(&ctx, async |c| pid(c).await).await.unwrap();
        let soon = ctx.with_timeout(Duration::from_millis(50));
        let work = db.under(&soon, async |c| c.query(SLEEP, &[]).await);
        assert!(work.await.unwrap_err().cancelled().is_some());
        assert_eq!(proxy.begun(), 3);
        let after = db.under(&ctx, async |c| pid(c).await).await.unwrap();
        assert_eq!(before, after);
    });
}

/// Rule 8: queries that end at the moment they are cut, so that the cancel hits what follows.
#[test]
fn a_cancel_that_hits_the_clean_up_loses_no_connection() {
    with_server(async |server| {
        let pool = server.pool(4);
        let one = async |pool: tokio_ctx_db::postgres::Pool, seed: u64| {
            for round in 0..60 {
                let mut db = pool.get(&Context::background()).await.unwrap();
                let micros = 200 + (seed * 7919 + round * 104_729) % 2_500;
                let soon = Context::background().with_timeout(Duration::from_micros(micros));
                let work = db.under(&soon, async |c| {
                    c.query("select pg_sleep(0.001)", &[]).await
                });
                if let Ok(answer) = work.await {
                    answer.expect("only its own context cuts it");
                }
                let ctx = Context::background();
                let next = db.under(&ctx, async |c| c.query("select pg_sleep(0.002)", &[]).await);
                next.await.unwrap().expect("nobody cancels the next query");
            }
        };
        let (a, b, c, d) = (pool.clone(), pool.clone(), pool.clone(), pool.clone());
        tokio::join!(one(a, 1), one(b, 2), one(c, 3), one(d, 4));
        let counts = pool.counts();
        assert!(counts.cuts > 0, "nothing was cut: {counts:?}");
        assert_eq!(counts.cuts, counts.cleaned, "{counts:?}");
    });
}
