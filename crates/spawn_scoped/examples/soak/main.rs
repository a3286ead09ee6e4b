//! Random trees of scopes with errors, panics, timeouts, drops, aborts and hostile types, in
//! runtimes of every kind, for a while.
//!
//! Run with `cargo run --release -p spawn_scoped --example soak -- --seconds 30`; with
//! `--seed N` the trees of an earlier run are built again.
//! The last line says how many scopes there were and what was leaked, and so does the status.

use std::alloc::System;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use spawn_scoped::snapshot;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

mod log;
mod settings;
mod trees;

use log::Log;
use settings::{SETTINGS, Soil};
use trees::{Expected, Live};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// How many more allocations may be alive between two rounds than after the first tenth of the
/// time: of threads that come and go, and tables that grow.
const MORE: usize = 2_000;

/// How long a round may take to let go of its last thing.
const PATIENCE: Duration = Duration::from_secs(20);

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
    tracing::subscriber::set_global_default(Log).expect("the only one");
    let soil = Soil {
        live: Live::default(),
        scopes: Arc::new(AtomicUsize::new(0)),
        seed,
    };
    let (rounds, mut problems) = soak(Duration::from_secs(seconds), &soil);
    let tree = snapshot();
    if !tree.scopes.is_empty() {
        problems.push(format!("still in the tree:\n{tree}"));
    }
    for problem in &problems {
        println!("{problem}");
    }
    let scopes = soil.scopes.load(Ordering::Relaxed);
    let leaked = soil.live.count() + tree.scopes.len();
    println!(
        "soak: {scopes} scopes in {rounds} rounds, {leaked} leaked ({})",
        soil.live
    );
    match problems.is_empty() && leaked == 0 {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

/// Goes through the settings until the time is over, or a round leaves something.
fn soak(time: Duration, soil: &Soil) -> (u64, Vec<String>) {
    let workers = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let begun = Instant::now();
    let mut problems = Vec::new();
    let (mut rounds, mut early) = (0, None);
    while begun.elapsed() < time && problems.is_empty() {
        let setting = SETTINGS[rounds as usize % SETTINGS.len()];
        let _watched = watch(format!("round {rounds}, {setting:?}"), soil.live.clone());
        if let Err(problem) = setting.round(&workers, rounds, soil, PATIENCE) {
            problems.push(format!("round {rounds}, {setting:?}: {problem}"));
        }
        rounds += 1;
        if early.is_none() && begun.elapsed() * 10 > time {
            early = Some(allocations());
        }
    }
    // What is still there now was detached.
    workers.shutdown_timeout(Duration::from_secs(1));
    let (early, late) = (early.unwrap_or_else(allocations), allocations());
    println!("{early} allocations alive after a tenth of the time, {late} at its end");
    if late > early + MORE {
        problems.push(format!("{} more allocations are alive", late - early));
    }
    (rounds, problems)
}

/// Ends the process with what is known if a round hangs: until the value that is returned is
/// dropped.
fn watch(round: String, live: Live) -> mpsc::Sender<()> {
    let (over, is_over) = mpsc::channel();
    std::thread::spawn(move || {
        if is_over.recv_timeout(3 * PATIENCE) == Err(mpsc::RecvTimeoutError::Timeout) {
            println!("{round} hangs: {live}\n{}", snapshot());
            std::process::abort();
        }
    });
    over
}

/// The allocations that are alive.
fn allocations() -> usize {
    let stats = ALLOCATOR.stats();
    stats.allocations.saturating_sub(stats.deallocations)
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
        // A timer is tried before it is known that a runtime has none.
        let text = info.payload().downcast_ref::<String>();
        let text = text.map_or("", String::as_str);
        if !info.payload().is::<Expected>() && !text.contains("timers are disabled") {
            usual(info);
        }
    }));
}
