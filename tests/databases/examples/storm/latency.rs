//! How long after the end of its context a query has stopped at the server.

use std::time::{Duration, Instant};

use tokio_ctx_core::Context;

use crate::pools::Pools;

/// Measures until the connection is clean again, which is a little later than the query's end.
pub(crate) async fn measure(pools: &Pools, count: usize) {
    let root = Context::background();
    let mut took = Vec::with_capacity(count);
    let mut db = pools.first().get(&root).await.expect("the server is there");
    for _ in 0..count {
        let ctx = root.with_cancel();
        let work = db.under(&ctx, async |c| c.simple_query("select pg_sleep(600)").await);
        let cut = async {
            tokio::time::sleep(Duration::from_millis(3)).await;
            ctx.cancel();
            Instant::now()
        };
        let (cut, ended) = tokio::join!(work, cut);
        took.push(ended.elapsed());
        assert!(cut.expect_err("it sleeps").cancelled().is_some());
    }
    took.sort();
    println!(
        "    from the end of a context until its query has stopped and its connection is clean: \
         p50 {:.1?}, p99 {:.1?} ({count} queries, one at a time)",
        took[count / 2],
        took[count * 99 / 100]
    );
}
