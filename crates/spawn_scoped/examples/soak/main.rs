//! Random trees of scopes with errors, panics, timeouts, drops and aborts, for a while.
//!
//! Run with `cargo run --release -p spawn_scoped --example soak -- --seconds 30`; with
//! `--seed N` the trees of an earlier run are built again.
//! The last line says how many scopes there were and what was leaked, and so does the status.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use spawn_scoped::{root, scope, snapshot};
use tokio_ctx_core::{Cancelled, Context};

mod tree;

use tree::{Expected, Live, Random};

/// Trees that are under way at once.
const AT_ONCE: usize = 64;

/// How much the process may grow after the first tenth of the time.
const GROWTH: usize = 32 << 20;

fn main() -> ExitCode {
    let (seconds, seed) = match arguments() {
        Ok(arguments) => arguments,
        Err(problem) => {
            eprintln!("{problem}\nusage: soak [--seconds N] [--seed N]");
            return ExitCode::from(2);
        }
    };
    println!("seed {seed}, {seconds} seconds");
    expect_panics();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let (live, scopes) = (Live::default(), Arc::new(AtomicUsize::new(0)));
    let growth = runtime.block_on(soak(seconds, seed, &live, &scopes));
    let hanging = runtime.block_on(root().join_timeout(Duration::from_secs(20)));
    // What is still there now was detached.
    runtime.shutdown_timeout(Duration::from_secs(1));

    let mut leaked = live.count();
    if let Err(stragglers) = hanging {
        leaked += stragglers.len();
        for straggler in stragglers.iter().take(10) {
            println!("still running: {straggler}");
        }
    }
    let tree = snapshot();
    if !tree.scopes.is_empty() {
        leaked += tree.scopes.len();
        println!("still in the tree:\n{tree}");
    }
    if growth > GROWTH {
        leaked += 1;
        println!("the process grew by {} KiB", growth >> 10);
    }
    println!(
        "soak: {} scopes, {leaked} leaked",
        scopes.load(Ordering::Relaxed)
    );
    if leaked == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Builds trees until the time is over. Returns by how much memory grew.
async fn soak(seconds: u64, seed: u64, live: &Live, scopes: &Arc<AtomicUsize>) -> usize {
    let begun = Instant::now();
    let time = Duration::from_secs(seconds);
    let (mut trees, mut early) = (0u64, 0);
    let ctx = Context::background();
    while begun.elapsed() < time {
        // A round has a scope around it, which waits for what its trees leave.
        let round = scope(&ctx, async |s| {
            for _ in 0..AT_ONCE {
                trees += 1;
                let random = Random::new(seed ^ trees.wrapping_mul(0x2545_f491_4f6c_dd1d));
                let (live, scopes) = (live.clone(), scopes.clone());
                let ctx = s.context().clone();
                let task = tokio::spawn(async move {
                    tree::tree(&ctx, random, live, scopes).await;
                });
                if trees % 7 == 0 {
                    // An abort, somewhere.
                    tokio::task::yield_now().await;
                    task.abort();
                }
                s.spawn(async move |_| {
                    if let Err(error) = task.await {
                        assert!(
                            error.try_into_panic().map_or(true, |p| p.is::<Expected>()),
                            "a panic that nobody planned"
                        );
                    }
                    Ok::<_, Cancelled>(())
                });
            }
            Ok(())
        });
        round.await.expect("nothing in it fails");
        if begun.elapsed() * 10 < time {
            early = resident();
        }
    }
    resident().saturating_sub(early.max(1))
}

/// The memory of this process, where the system tells.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").ok();
    let pages = pages.and_then(|text| text.split(' ').nth(1)?.parse::<usize>().ok());
    pages.map_or(0, |pages| pages * 4096)
}

fn arguments() -> Result<(u64, u64), String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let mut seed = now.map_or(1, |since| since.as_nanos() as u64);
    let mut seconds = 10;
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().and_then(|value| value.parse().ok());
        let value = value.ok_or_else(|| format!("{name} needs a number"))?;
        match name.as_str() {
            "--seconds" => seconds = value,
            "--seed" => seed = value,
            _ => return Err(format!("unknown: {name}")),
        }
    }
    Ok((seconds, seed))
}

/// The panics that are planned say nothing.
fn expect_panics() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !info.payload().is::<Expected>() {
            usual(info);
        }
    }));
}
