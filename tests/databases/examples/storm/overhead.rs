//! What `under` costs where nothing is cut.

use std::time::{Duration, Instant};

use tokio_ctx_core::Context;

use crate::pools::Pools;

/// As many measurements, each on two other connections, since one session at the server is not as
/// fast as another.
const ROUNDS: usize = 9;

/// Compares medians of the bare driver and of `under`, in turns.
pub(crate) async fn measure(pools: &Pools, count: usize) {
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        rounds.push(measure_once(pools, count / ROUNDS).await);
    }
    rounds.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (least, most) = (rounds[0].0, rounds[ROUNDS - 1].0);
    let (ratio, bare, under) = rounds[ROUNDS / 2];
    println!(
        "    select 1: {bare:.1?} with the bare driver, {under:.1?} under a context with a \
         deadline: {ratio:.3} ({least:.3} to {most:.3})"
    );
}

async fn measure_once(pools: &Pools, count: usize) -> (f64, Duration, Duration) {
    let root = Context::background();
    let ctx = root.with_timeout(Duration::from_secs(600));
    let pool = pools.first();
    // They go back in the opposite order, so that each gets the other's in the next round.
    let bare = pool.inner().get().await.expect("the server is there");
    let mut db = pool.get(&root).await.expect("the server is there");
    let sql = "select 1";
    let statement = bare.prepare(sql).await.expect("the server answers");
    let under = db.under(&root, async |c| c.prepare(sql).await).await;
    let same = under.expect("no context ends").expect("the server answers");
    let (mut bares, mut unders) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let began = Instant::now();
        bare.query_one(&statement, &[]).await.expect("it answers");
        bares.push(began.elapsed());
        let began = Instant::now();
        let answer = db.under(&ctx, async |c| c.query_one(&same, &[]).await);
        answer.await.expect("no context ends").expect("it answers");
        unders.push(began.elapsed());
    }
    bares.sort();
    unders.sort();
    let (bare, under) = (bares[count / 2], unders[count / 2]);
    (under.as_secs_f64() / bare.as_secs_f64(), bare, under)
}
