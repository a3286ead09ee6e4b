//! A storm of deadlines: what the good requests get before, during and after it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use deadpool_postgres::Manager;
use servers::Postgres;
use tokio::task::JoinSet;
use tokio_ctx_core::Context;
use tokio_ctx_db::postgres::Pool;
use tokio_postgres::{Config, NoTls};

const REQUESTS: usize = 1_000;
const DEADLINE: Duration = Duration::from_millis(50);
const PHASE: Duration = Duration::from_secs(3);

/// How many good requests are under way at once.
const GOOD: usize = 4;

/// Whether no request waited longer than it may, and the good ones recovered.
pub(crate) async fn measure(server: &Postgres) -> bool {
    let config: Config = server.conninfo().parse().expect("it is well-formed");
    let connections = deadpool_postgres::Pool::builder(Manager::new(config.clone(), NoTls))
        .max_size(10)
        .build()
        .expect("it has a runtime");
    // As it comes, its limits on cancels included.
    let pool = Pool::new(connections, &config, NoTls);
    let done = Arc::new(AtomicU64::new(0));
    let over = Arc::new(AtomicBool::new(false));
    let mut good = JoinSet::new();
    for _ in 0..GOOD {
        let (pool, done, over) = (pool.clone(), Arc::clone(&done), Arc::clone(&over));
        good.spawn(async move {
            let ctx = Context::background();
            while !over.load(Relaxed) {
                let mut db = pool.get(&ctx).await.expect("the server is there");
                let work = db.under(&ctx, async |c| {
                    c.simple_query("select pg_sleep(0.002)").await
                });
                work.await
                    .expect("no context ends")
                    .expect("nobody cancels it");
                done.fetch_add(1, Relaxed);
            }
        });
    }
    let rate = async |phase: Duration| {
        let (before, began) = (done.load(Relaxed), Instant::now());
        tokio::time::sleep(phase).await;
        (done.load(Relaxed) - before) as f64 / began.elapsed().as_secs_f64()
    };
    let before = rate(PHASE).await;
    let began = Instant::now();
    let mut storm = JoinSet::new();
    for number in 0..REQUESTS {
        let pool = pool.clone();
        storm.spawn(async move {
            // They arrive over a second.
            tokio::time::sleep(Duration::from_millis(number as u64)).await;
            let began = Instant::now();
            let ctx = Context::background().with_timeout(DEADLINE);
            let worked = async {
                let mut db = pool.get(&ctx).await?;
                db.under(&ctx, async |c| c.simple_query("select pg_sleep(30)").await)
                    .await
            };
            let error = worked.await.expect_err("it is too slow");
            assert!(error.cancelled().is_some(), "{error}");
            began.elapsed()
        });
    }
    let during_from = done.load(Relaxed);
    let mut waits = Vec::with_capacity(REQUESTS);
    while let Some(wait) = storm.join_next().await {
        waits.push(wait.expect("no panic"));
    }
    let during = (done.load(Relaxed) - during_from) as f64 / began.elapsed().as_secs_f64();
    let after = rate(PHASE).await;
    over.store(true, Relaxed);
    while let Some(ended) = good.join_next().await {
        ended.expect("no panic");
    }
    waits.sort();
    let (p50, p99, last) = (
        waits[REQUESTS / 2],
        waits[REQUESTS * 99 / 100],
        waits[REQUESTS - 1],
    );
    let counts = pool.counts();
    println!(
        "    {REQUESTS} requests with a deadline of {DEADLINE:?} on ten connections, answered after \
         {p50:.0?} (p50), {p99:.0?} (p99), {last:.0?} (slowest); {} cancels, {} connections lost",
        counts.cancels,
        counts.lost()
    );
    println!(
        "    good requests a second: {before:.0} before, {during:.0} during, {after:.0} after"
    );
    // The grace, and what a busy machine adds.
    let is_bounded = last < DEADLINE + Duration::from_secs(3);
    is_bounded && after > before / 2.0
}
