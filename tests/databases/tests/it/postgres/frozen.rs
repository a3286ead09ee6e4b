//! A server that stands still: SIGSTOP for all its processes.

use std::time::{Duration, Instant};

use servers::Postgres;
use tokio_ctx_core::Context;
use tokio_ctx_db::Settings;
use tokio_ctx_db::postgres::Pool;
use tokio_postgres::{Config, NoTls};

use super::support::{SLEEP, connections, with_server};

const DEADLINE: Duration = Duration::from_millis(300);
const GRACE: Duration = Duration::from_millis(900);

/// What a busy machine may add.
const SLACK: Duration = Duration::from_secs(3);

/// How long it stands still: longer than any answer may take.
const FROZEN: Duration = Duration::from_secs(10);

#[test]
fn callers_are_answered_while_the_server_stands_still() {
    with_server(async |_| {
        let own = Postgres::start().expect("a second one starts as the first did");
        let config: Config = own.conninfo().parse().unwrap();
        let settings = Settings::default().grace(GRACE);
        let pool = Pool::new(connections(&config, 3), &config, NoTls).with_settings(settings);
        let root = Context::background();
        let (mut querying, mut committing) = (pool.get(&root).await, pool.get(&root).await);
        let (querying, committing) = (querying.as_mut().unwrap(), committing.as_mut().unwrap());
        let frozen = Instant::now();
        let query = async {
            let ctx = root.with_timeout(DEADLINE);
            let work = querying.under(&ctx, async |c| c.query(SLEEP, &[]).await);
            (work.await.unwrap_err(), frozen.elapsed())
        };
        let commit = async {
            let ctx = root.with_timeout(DEADLINE);
            let work = committing.transaction(&ctx, async |tx| {
                tx.batch_execute("create table frozen (a int)").await?;
                own.freeze().unwrap();
                Ok::<_, tokio_postgres::Error>(())
            });
            (work.await.unwrap_err(), frozen.elapsed())
        };
        let connect = async {
            tokio::time::sleep(DEADLINE / 2).await;
            let ctx = root.with_timeout(DEADLINE / 2);
            (pool.get(&ctx).await.unwrap_err(), frozen.elapsed())
        };
        let (queried, committed, connected) = tokio::join!(query, commit, connect);
        for (error, after) in [&queried, &committed, &connected] {
            assert!(error.cancelled().is_some(), "{error}");
            assert!(*after < DEADLINE + GRACE + SLACK, "{error} after {after:?}");
        }
        assert!(committed.0.is_commit_unknown());
        assert!(querying.is_closed() && committing.is_closed());
        tokio::time::sleep(FROZEN.saturating_sub(frozen.elapsed())).await;
        own.thaw().unwrap();
        let mut next = pool.get(&root).await.unwrap();
        let seven = next.under(&root, async |c| c.query_one("select 7", &[]).await);
        assert_eq!(seven.await.unwrap().unwrap().get::<_, i32>(0), 7);
    });
}
