//! Cuts all kinds of work at random moments, and looks for a victim: a query of somebody else that
//! a cancel has hit. `cargo xtask db` runs it.
//!
//! The servers are its own, and are restarted once in the middle.

mod deadlines;
mod latency;
mod overhead;
mod pools;
mod sqlx_work;
mod work;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use servers::{PgBouncer, Postgres};
use tokio::sync::{RwLock, RwLockWriteGuard};
use tokio::task::JoinSet;
use tokio_ctx_db::Counts;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use pools::Pools;
use work::Seen;

/// How many cancels the server must have acted on.
const CANCELS: u64 = 20_000;

/// How many pieces of work are under way at once.
const AT_ONCE: u64 = 8;

/// Longer than it takes on any machine that is used for this.
const PATIENCE: Duration = Duration::from_secs(600);

/// What the workers share.
struct Storm {
    pools: Pools,
    /// Workers have it shared while they work; alone, one looks at a storm that stands still.
    work: RwLock<()>,
    /// While it is set, lost connections and broken queries have a reason.
    restarting: AtomicBool,
    over: AtomicBool,
    seen: Seen,
    errors: AtomicU64,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    // Each connection that is lost is logged, with the reason.
    let ours = Targets::new().with_target("tokio_ctx_db", LevelFilter::WARN);
    let log = tracing_subscriber::fmt::layer().without_time();
    tracing_subscriber::registry().with(log).with(ours).init();
    let Some(postgres) = servers::or_skip(Postgres::start()) else {
        println!("db: not run");
        return ExitCode::SUCCESS;
    };
    let Some(bouncer) = servers::or_skip(PgBouncer::start(&postgres, 8)) else {
        println!("db: not run");
        return ExitCode::SUCCESS;
    };
    match tokio::time::timeout(PATIENCE, run(postgres, bouncer)).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(_) => {
            println!("db: it hangs");
            ExitCode::FAILURE
        }
    }
}

async fn run(postgres: Postgres, bouncer: PgBouncer) -> bool {
    let storm = Arc::new(Storm {
        pools: Pools::connect(&postgres, &bouncer).await,
        work: RwLock::new(()),
        restarting: AtomicBool::new(false),
        over: AtomicBool::new(false),
        seen: Seen::default(),
        errors: AtomicU64::new(0),
    });
    work::prepare(&storm.pools).await;
    latency::measure(&storm.pools, 1_000).await;
    overhead::measure(&storm.pools, 4_000).await;
    let has_recovered = deadlines::measure(&postgres).await;
    let began = Instant::now();
    let mut workers = JoinSet::new();
    for seed in 0..AT_ONCE {
        workers.spawn(worker(Arc::clone(&storm), seed));
    }
    wait_for(&storm, CANCELS / 2).await;
    // Nothing may be lost until here, and nothing but by the restart afterwards.
    let still = stand_still(&storm).await;
    let before = storm.pools.counts();
    storm.restarting.store(true, Relaxed);
    drop(still);
    println!("    the servers are restarted");
    tokio::time::sleep(Duration::from_millis(200)).await;
    let restarted = tokio::task::spawn_blocking(move || {
        let (mut postgres, mut bouncer) = (postgres, bouncer);
        postgres.restart().expect("it has started once");
        // Before 1.21 it dies of a server that goes away while a cancel is on its way to it.
        bouncer.restart().expect("it has started once");
        (postgres, bouncer)
    });
    let (postgres, _bouncer) = restarted.await.expect("no panic");
    // What was begun with the old server ends before the reason does.
    let still = stand_still(&storm).await;
    storm.restarting.store(false, Relaxed);
    let after = storm.pools.counts();
    println!("    they are back, and nothing is under way");
    drop(still);
    wait_for(&storm, CANCELS).await;
    storm.over.store(true, Relaxed);
    while let Some(ended) = workers.join_next().await {
        ended.expect("no panic");
    }
    let took = began.elapsed();
    let left = work::left_behind(&postgres).await;
    report(&storm, before, after, left, took) && has_recovered
}

async fn wait_for(storm: &Storm, cancels: u64) {
    let mut told = Instant::now();
    while storm.pools.counts().cancels < cancels {
        tokio::time::sleep(Duration::from_millis(50)).await;
        if told.elapsed() > Duration::from_secs(20) {
            told = Instant::now();
            println!("    {} of {CANCELS} cancels", storm.pools.counts().cancels);
        }
    }
}

/// Waits until no work is under way and each connection that was cut is clean or closed.
async fn stand_still(storm: &Storm) -> RwLockWriteGuard<'_, ()> {
    let still = storm.work.write().await;
    loop {
        let counts = storm.pools.counts();
        if counts.cuts == counts.cleaned + counts.lost() {
            return still;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn worker(storm: Arc<Storm>, seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    while !storm.over.load(Relaxed) {
        let _working = storm.work.read().await;
        let pool = storm.pools.choose(&mut random);
        // It does not change in the middle: the storm stands still before.
        let is_restarting = storm.restarting.load(Relaxed);
        let cut = work::cut_and_probe(pool, &storm.seen, is_restarting, &mut random);
        if let Err(error) = cut.await
            && !is_restarting
        {
            // The first few tell the story.
            if storm.errors.fetch_add(1, Relaxed) < 20 {
                println!("    {}: {error}", pool.name());
            }
        }
    }
}

/// Prints what was seen; whether it is what was promised.
fn report(storm: &Storm, before: Counts, after: Counts, left: i64, took: Duration) -> bool {
    let end = storm.pools.counts();
    for (name, counts) in storm.pools.each_counts() {
        println!("    {name}: {counts:?}");
    }
    let restart = after.lost() - before.lost();
    let copy = storm.seen.lost_to_copy.load(Relaxed);
    let unexplained = end.lost().abs_diff(restart + copy);
    let (victims, errors) = (storm.seen.victims.load(Relaxed), storm.errors.load(Relaxed));
    println!(
        "    {} cuts in {:.0?}: {} contexts ended, {} futures dropped, {} in transactions, {} during COPY",
        end.cuts,
        took,
        storm.seen.ended.load(Relaxed),
        storm.seen.dropped.load(Relaxed),
        storm.seen.in_transaction.load(Relaxed),
        storm.seen.in_copy.load(Relaxed),
    );
    if left != 0 || errors != 0 || unexplained != 0 {
        println!(
            "    {left} sessions left in a query or a transaction, {errors} errors, \
             {unexplained} connections lost without a reason"
        );
    }
    println!(
        "db: {} cancels, {victims} victims, {} connections lost ({restart} to the restart of the server, \
         {copy} to a COPY that was cut or refused)",
        end.cancels,
        end.lost(),
    );
    victims == 0 && errors == 0 && left == 0 && unexplained == 0 && end.cancels >= CANCELS
}
