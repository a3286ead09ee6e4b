//! How costs grow: with depth, width, keys, tasks and threads. One plot each.

use std::fmt::Write as _;
use std::future::Future;
use std::hint::black_box;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context as TaskContext, Waker};
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use tokio_ctx::Context;
use tokio_util::sync::CancellationToken;

use crate::document;
use crate::harness::{Effort, Group, median};
use crate::svg::{Line, plot};
use crate::table::amount;
use crate::work::{self, ABSENT, Flavour};

const DISTURBED: &str = "Measured while other processes were busy (`--keep-disturbed`): the shapes mean \
     something, single figures do not.\n\n";

/// Measures everything, draws the plots and writes the figures.
pub(crate) fn run(effort: Effort) -> io::Result<()> {
    let effort = Effort {
        rounds: 5,
        round: effort.round / 2,
        ..effort
    };
    let mut text = String::new();
    if effort.keep_disturbed {
        text.push_str(DISTURBED);
    }
    let depths = [1, 10, 100, 1_000, 10_000, 100_000];
    draw(
        &mut text,
        "depth",
        "Depth: a chain of children",
        "depth",
        effort,
        &depths,
        depth,
    )?;
    let widths = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000];
    draw(
        &mut text,
        "width",
        "Width: children of one parent",
        "children",
        effort,
        &widths,
        width,
    )?;
    let keys = [1, 2, 4, 8, 16, 32, 64];
    draw(
        &mut text,
        "keys",
        "Keys: values on one chain",
        "keys",
        effort,
        &keys,
        values,
    )?;
    let counts = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000];
    draw(
        &mut text,
        "tasks",
        "Tasks: one scope, 2 workers, per task",
        "tasks",
        effort,
        &counts,
        tasks,
    )?;
    let threads = [1, 2, 4, 8];
    draw(
        &mut text,
        "threads",
        "Threads under one parent, per operation",
        "threads",
        effort,
        &threads,
        shared,
    )?;
    text.push_str(&stalls());
    print!("{text}");
    document::write("growth", &text)
}

/// One plot: a group of sides for each size.
fn draw(
    text: &mut String,
    file: &str,
    title: &str,
    across: &str,
    effort: Effort,
    sizes: &[usize],
    make: fn(usize) -> Group<'static>,
) -> io::Result<()> {
    let mut lines: Vec<Line> = Vec::new();
    for size in sizes {
        let effort = Effort {
            rounds: if *size >= 100_000 { 3 } else { effort.rounds },
            ..effort
        };
        let (series, voided) = make(*size).series(effort);
        eprintln!("benches: {across} {size} ({voided} rounds voided)");
        for series in series.iter().filter(|series| !series.figures.is_empty()) {
            let point = (*size as f64, median(&series.figures));
            match lines.iter_mut().find(|line| line.name == series.name) {
                Some(line) => line.points.push(point),
                None => lines.push(Line {
                    name: series.name.to_owned(),
                    points: vec![point],
                }),
            }
        }
    }
    let name = format!("growth-{file}.svg");
    fs::write(document::docs().join(&name), plot(title, across, &lines))?;
    let _ = writeln!(text, "### {title}\n\n![{title}]({name})\n");
    let heads: Vec<String> = sizes.iter().map(usize::to_string).collect();
    let _ = writeln!(text, "| {across} | {} | exponent |", heads.join(" | "));
    let _ = writeln!(text, "|{}", "---|".repeat(sizes.len() + 2));
    for line in &lines {
        let cells: Vec<String> = sizes
            .iter()
            .map(|size| {
                let point = line.points.iter().find(|point| point.0 == *size as f64);
                point.map_or_else(|| "-".to_owned(), |point| amount(point.1, "ns"))
            })
            .collect();
        let _ = writeln!(
            text,
            "| {} | {} | {:.2} |",
            line.name,
            cells.join(" | "),
            exponent(line)
        );
    }
    text.push('\n');
    Ok(())
}

/// The slope of the upper half of a line in the plot: 0 is constant, 1 linear.
fn exponent(line: &Line) -> f64 {
    let upper = &line.points[line.points.len() / 2..];
    match (upper.first(), upper.last()) {
        (Some(first), Some(last)) if first.0 < last.0 => {
            (last.1 / first.1).log10() / (last.0 / first.0).log10()
        }
        _ => f64::NAN,
    }
}

fn poll_once<F: Future>(future: F) -> bool {
    let mut cx = TaskContext::from_waker(Waker::noop());
    pin!(future).poll(&mut cx).is_pending()
}

fn depth(depth: usize) -> Group<'static> {
    let root = Context::background().with_cancel();
    let live = work::chain(&root, depth);
    let ended_root = Context::background().with_cancel();
    let ended = work::chain(&ended_root, depth);
    ended_root.cancel();
    let per = depth as u64;
    Group::new()
        .side("build, cancel, drop: per node", move || {
            let root = Context::background().with_cancel();
            let nodes = work::chain(&root, depth);
            black_box(root.cancel());
            assert!(nodes.iter().rev().all(Context::is_done));
        })
        .per(per)
        .side("tokens alone", move || {
            let root = CancellationToken::new();
            let nodes = work::token_chain(&root, depth);
            root.cancel();
            assert!(nodes.iter().rev().all(CancellationToken::is_cancelled));
        })
        .per(per)
        .side("is_done of the last, live", move || {
            // The root's guard lives as long as the side does.
            let _root = &root;
            assert!(!live.last().is_some_and(|last| black_box(last).is_done()));
        })
        .side("is_done of the last, ended", move || {
            assert!(ended.last().is_some_and(|last| black_box(last).is_done()));
        })
}

/// How long the cancel of a parent takes, all of it.
fn width(width: usize) -> Group<'static> {
    let cancel = move |wait: bool| {
        move |times: u64| {
            let mut took = Duration::ZERO;
            for _ in 0..times {
                let parent = Context::background().with_cancel();
                let children: Vec<Context> =
                    (0..width).map(|_| parent.with_cancel().disarm()).collect();
                if wait {
                    assert!(children.iter().all(|child| poll_once(child.done())));
                }
                let start = Instant::now();
                parent.cancel();
                took += start.elapsed();
                assert!(children.iter().all(Context::is_done));
            }
            took
        }
    };
    Group::new()
        .timed("cancel", cancel(false))
        .timed("cancel, all waited on", cancel(true))
        .timed("cancel of a token", move |times| {
            let mut took = Duration::ZERO;
            for _ in 0..times {
                let parent = CancellationToken::new();
                let children: Vec<_> = (0..width).map(|_| parent.child_token()).collect();
                let start = Instant::now();
                parent.cancel();
                took += start.elapsed();
                assert!(children.iter().all(CancellationToken::is_cancelled));
            }
            took
        })
        .side("derive, drop: per child", move || {
            let parent = Context::background().with_cancel();
            let children: Vec<Context> =
                (0..width).map(|_| parent.with_cancel().disarm()).collect();
            black_box(&children);
        })
        .per(width as u64)
}

fn values(keys: usize) -> Group<'static> {
    let context = work::chain_of_values(keys);
    let absent = context.clone();
    Group::new()
        .side("look up the first key", move || {
            work::look_up_first(&context);
        })
        .side("look up an absent key", move || work::absent_among(&absent))
        .per(ABSENT)
        .side("add and drop: per key", move || {
            black_box(work::chain_of_values(keys));
        })
        .per(keys as u64)
}

fn tasks(count: usize) -> Group<'static> {
    let runtime = Arc::new(Flavour::Workers(2).runtime());
    let per = count as u64;
    macro_rules! side {
        ($work:path) => {{
            let runtime = Arc::clone(&runtime);
            move |times: u64| {
                let task = runtime.spawn(async move {
                    let start = Instant::now();
                    for _ in 0..times {
                        $work(count, false).await;
                    }
                    start.elapsed()
                });
                runtime.block_on(task).expect("the work does not panic")
            }
        }};
    }
    Group::new()
        .timed("scope", side!(work::scoped))
        .per(per)
        .timed("JoinSet", side!(work::join_set))
        .per(per)
        .timed("bare tokio::spawn", side!(work::bare))
        .per(per)
}

fn shared(threads: usize) -> Group<'static> {
    let parent = Context::background().with_cancel();
    let asked = parent.with_cancel().disarm();
    let token = CancellationToken::new();
    let asked_token = token.clone();
    Group::new()
        .timed("derive, cancel, drop", move |times| {
            work::together(threads, times, || {
                black_box(parent.with_cancel().cancel());
            })
        })
        .timed("tokens alone", move |times| {
            work::together(threads, times, || token.child_token().cancel())
        })
        .timed("is_done", move |times| {
            work::together(threads, times, || {
                black_box(black_box(&asked).is_done());
            })
        })
        .timed("is_cancelled of a token", move |times| {
            work::together(threads, times, || {
                black_box(black_box(&asked_token).is_cancelled());
            })
        })
}

/// The worst pause of a thread that only asks, while a parent with a million children, all
/// of them waited on, is cancelled.
fn stalls() -> String {
    const CHILDREN: usize = 1_000_000;
    let mut text = format!(
        "### Stalls\n\nThe longest single call of a thread that only asks, while a parent of {CHILDREN} \
         children that are all waited on is cancelled (median and worst of five cancels):\n\n\
         | asks | median | worst |\n|---|---|---|\n"
    );
    let mut line = |name: &str, worst: [f64; 5]| {
        let most = worst.iter().copied().fold(0.0, f64::max);
        let _ = writeln!(
            text,
            "| {name} | {} | {} |",
            amount(median(&worst), "ns"),
            amount(most, "ns")
        );
    };
    line(
        "`is_done` of the parent",
        std::array::from_fn(|_| {
            let parent = Context::background().with_cancel();
            let children: Vec<Context> = (0..CHILDREN)
                .map(|_| parent.with_cancel().disarm())
                .collect();
            assert!(children.iter().all(|child| poll_once(child.done())));
            let asked = Context::clone(&parent);
            worst_call(move || asked.is_done(), || assert!(parent.cancel()))
        }),
    );
    line(
        "`is_done` of the last child",
        std::array::from_fn(|_| {
            let parent = Context::background().with_cancel();
            let children: Vec<Context> = (0..CHILDREN)
                .map(|_| parent.with_cancel().disarm())
                .collect();
            assert!(children.iter().all(|child| poll_once(child.done())));
            let asked = children.last().cloned().unwrap_or_default();
            worst_call(move || asked.is_done(), || assert!(parent.cancel()))
        }),
    );
    line(
        "`is_cancelled` of a parent token",
        std::array::from_fn(|_| {
            let parent = CancellationToken::new();
            let children: Vec<_> = (0..CHILDREN).map(|_| parent.child_token()).collect();
            let asked = parent.clone();
            let worst = worst_call(move || asked.is_cancelled(), || parent.cancel());
            drop(children);
            worst
        }),
    );
    text.push('\n');
    text
}

/// The longest of the calls of `ask` that begin before `end` returns, in nanoseconds.
fn worst_call(ask: impl Fn() -> bool + Sync, end: impl FnOnce()) -> f64 {
    let (begun, over) = (AtomicBool::new(false), AtomicBool::new(false));
    thread::scope(|scope| {
        let asker = scope.spawn(|| {
            let mut worst = Duration::ZERO;
            while !over.load(Ordering::Acquire) {
                let start = Instant::now();
                black_box(ask());
                worst = worst.max(start.elapsed());
                begun.store(true, Ordering::Release);
            }
            worst
        });
        while !begun.load(Ordering::Acquire) {
            thread::yield_now();
        }
        end();
        over.store(true, Ordering::Release);
        asker
            .join()
            .map_or(f64::NAN, |worst| worst.as_nanos() as f64)
    })
}
