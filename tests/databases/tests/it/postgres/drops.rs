//! Rule 10: futures that are dropped, and runtimes that are.

use std::time::Duration;

use tokio::time::timeout;
use tokio_ctx_core::Context;

use super::proxy::{Fate, Proxy};
use super::support::{Server, connect, pid, with_server};

const SOON: Duration = Duration::from_millis(50);

/// A query of its own for each test, so that the tests do not see each other's.
fn sleep(number: u32) -> String {
    format!("select pg_sleep(700 + {number})")
}

#[test]
fn a_query_whose_future_is_dropped_stops_at_the_server() {
    with_server(async |server| {
        let sql = sleep(1);
        let pool = server.pool(1);
        let ctx = Context::background();
        let mut db = pool.get(&ctx).await.unwrap();
        let before = db.under(&ctx, async |c| pid(c).await).await.unwrap();
        let dropped = async {
            let work = db.under(&ctx, async |c| c.query(&sql, &[]).await);
            tokio::select! {
                _ = work => unreachable!("it sleeps"),
                () = server.wait_running(&sql, 1) => {}
            }
        };
        dropped.await;
        drop(db);
        let mut next = pool.get(&ctx).await.unwrap();
        assert_eq!(server.running(&sql).await, 0);
        let after = next.under(&ctx, async |c| pid(c).await).await.unwrap();
        assert_eq!(before, after, "the connection was kept");
    });
}

#[test]
fn a_connection_that_is_kept_after_a_drop_is_clean_before_it_is_used() {
    with_server(async |server| {
        let sql = sleep(2);
        let pool = server.pool(1);
        let ctx = Context::background();
        let mut db = pool.get(&ctx).await.unwrap();
        let work = db.under(&ctx, async |c| c.query(&sql, &[]).await);
        assert!(timeout(SOON, work).await.is_err());
        let next = db.under(&ctx, async |c| c.query_one("select 7", &[]).await);
        assert_eq!(next.await.unwrap().unwrap().get::<_, i32>(0), 7);
        assert_eq!(server.running(&sql).await, 0);
        assert_eq!(pool.counts().cleaned, 1);
    });
}

#[test]
fn a_clean_up_goes_on_when_nobody_waits_for_it_any_more() {
    with_server(async |server| {
        let sql = sleep(3);
        let pool = server.pool(1);
        let ctx = Context::background();
        let mut db = pool.get(&ctx).await.unwrap();
        // Dropped at any point of the clean-up, the first and the last included.
        for micros in [0, 100, 300, 1_000, 3_000] {
            let soon = ctx.with_timeout(SOON);
            let limit = SOON + Duration::from_micros(micros);
            let work = db.under(&soon, async |c| c.query(&sql, &[]).await);
            let _ = timeout(limit, work).await;
        }
        drop(db);
        let mut next = pool.get(&ctx).await.unwrap();
        let seven = next.under(&ctx, async |c| c.query_one("select 7", &[]).await);
        assert_eq!(seven.await.unwrap().unwrap().get::<_, i32>(0), 7);
        assert_eq!(server.running(&sql).await, 0);
        assert_eq!(pool.counts().cuts, pool.counts().cleaned);
    });
}

/// Its scope must not end, and a server not stop, while a cancel is under way.
#[test]
fn the_scope_around_waits_for_the_clean_up() {
    with_server(async |server: Server| {
        const LATE: Duration = Duration::from_millis(300);
        let sql = sleep(6);
        let proxy = Proxy::start(server.postgres.port(), &[Fate::Late(LATE)]).await;
        let pool = server.pool_with(1, &proxy.config);
        let root = Context::background();
        let ended = spawn_scoped::scope(&root, async |s| {
            let mut db = pool.get(s.context()).await.unwrap();
            let ctx = s.context().clone();
            let work = db.under(&ctx, async |c| c.query(&sql, &[]).await);
            assert!(timeout(SOON, work).await.is_err());
            drop(db);
            Ok::<(), tokio_ctx_core::Cancelled>(())
        });
        ended.await.unwrap();
        assert_eq!((proxy.begun(), proxy.under_way()), (1, 0));
        assert_eq!(server.running(&sql).await, 0);
        assert_eq!(pool.counts().cleaned, 1);
    });
}

#[test]
fn work_that_panics_is_stopped_at_the_server() {
    with_server(async |server| {
        let sql = sleep(4);
        let pool = server.pool(1);
        let task = tokio::spawn({
            let (pool, sql) = (pool.clone(), sql.clone());
            async move {
                let ctx = Context::background();
                let mut db = pool.get(&ctx).await.unwrap();
                db.under(&ctx, async |c| {
                    let _ = timeout(SOON, c.query(&sql, &[])).await;
                    panic!("a fault of the work");
                })
                .await
            }
        });
        let joined: Result<Result<(), _>, _> = task.await;
        assert!(joined.unwrap_err().is_panic());
        pool.get(&Context::background()).await.unwrap();
        assert_eq!(server.running(&sql).await, 0);
    });
}

#[test]
fn a_runtime_that_shuts_down_closes_what_it_cannot_clean() {
    with_server(async |server: Server| {
        let sql = sleep(5);
        let (config, at_server) = (server.config.clone(), sql.clone());
        let pool = server.pool(1);
        let other = pool.clone();
        let (ready, is_ready) = std::sync::mpsc::channel();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.spawn(async move {
            let ctx = Context::background();
            let mut db = other.get(&ctx).await.unwrap();
            let session = db.under(&ctx, async |c| pid(c).await).await.unwrap();
            let watcher = connect(&config).await;
            let work = db.under(&ctx, async |c| c.query(&sql, &[]).await);
            let seen = async {
                let active = format!(
                    "select 1 from pg_stat_activity where pid = {session} and state = 'active'"
                );
                while watcher.query_opt(&active, &[]).await.unwrap().is_none() {}
                ready.send(session).unwrap();
                std::future::pending::<()>().await;
            };
            tokio::join!(work, seen).0.map(drop)
        });
        let session = is_ready.recv().unwrap();
        tokio::task::spawn_blocking(move || drop(runtime))
            .await
            .unwrap();
        // The connection is closed, so the pool has a place; what runs at the server ends when the
        // server looks at its socket.
        let mut next = pool.get(&Context::background()).await.unwrap();
        let ctx = Context::background();
        let after = next.under(&ctx, async |c| pid(c).await).await.unwrap();
        assert_ne!(session, after);
        assert_eq!(pool.counts().lost_to_shutdown, 1);
        server
            .run(&format!("select pg_terminate_backend({session})"))
            .await;
        while server.is_alive(session).await {}
        assert_eq!(server.running(&at_server).await, 0);
    });
}
