//! The rows 18 to 22.

use std::fs;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use super::clients::{Asking, CROWD, Crowd, HELLO, Request, WORK, latest_of_crowd};
use super::process::{Kind, Process, pin_clients, unpin_clients};
use crate::go::Go;
use crate::harness::{Effort, Group, Row, Target, compared};

/// Tasks of each request.
const PARTS: i64 = 3;

/// Descriptors that are needed beside those of the crowd.
const OTHERS: u64 = 200;

/// Requests that are not timed, of each new process.
const FIRST: u64 = 2_000;

/// A process a turn, since two of the same service differ by more than their turns do.
fn in_turns<'a>(kinds: &[Kind], go: Option<&'a Path>, request: Request) -> Group<'a> {
    pin_clients();
    let unpin = Rc::new(Unpin);
    let mut group = Group::new();
    for kind in kinds.iter().copied() {
        if kind == Kind::Go && go.is_none() {
            continue;
        }
        let unpin = Rc::clone(&unpin);
        group = group.timed(kind.name(), move |times| {
            let _unpin = &unpin;
            let process = Process::start(kind, go).expect("the service starts");
            let mut asking = Asking::new(process.address, request);
            asking.ask(FIRST);
            asking.ask(times)
        });
    }
    group
}

/// Row 18.
pub(crate) fn hello<'a>() -> Group<'a> {
    let (with, without) = (Kind::Layered, Kind::Hello);
    in_turns(&[with, without], None, HELLO).throughput_row(
        "18",
        "axum hello-world over HTTP/1.1, per request",
        with.name(),
        without.name(),
        0.92,
    )
}

/// Row 19.
pub(crate) fn throughput<'a>(go: &'a Go) -> Group<'a> {
    let whole = [Kind::Ours, Kind::Viewed, Kind::ByHand, Kind::Go];
    let parts = [
        Kind::Served,
        Kind::UnderLayer,
        Kind::Scoped,
        Kind::Unlimited,
    ];
    let group = in_turns(&[whole, parts].concat(), go.program(), WORK);
    let work = "a service: request with a deadline and three tasks, per request";
    let (ours, by_hand) = (Kind::Ours.name(), Kind::ByHand.name());
    let part = |group: Group<'a>, kind: Kind| {
        group.throughput_row(
            "19i",
            "of that, a part of ours by itself",
            kind.name(),
            by_hand,
            None,
        )
    };
    parts
        .into_iter()
        .fold(group, part)
        .throughput_row("19", work, ours, by_hand, 0.83)
        .throughput_row("19", work, ours, Kind::Go.name(), 1.20)
        .throughput_row(
            "19v",
            "the same with a view at which nobody looks",
            Kind::Viewed.name(),
            ours,
            0.94,
        )
}

/// The clients have all cores again when the group is gone.
struct Unpin;

impl Drop for Unpin {
    fn drop(&mut self) {
        unpin_clients();
    }
}

/// What one service did under a crowd.
#[derive(Default)]
struct Figures {
    memory: Vec<f64>,
    gone: Vec<f64>,
    slowest: Vec<f64>,
    late: Vec<f64>,
}

/// Rows 20 to 22, measured in turns, a process a turn.
pub(crate) fn under_load(go: &Go, effort: Effort) -> Vec<Row> {
    let needed = CROWD as u64 + OTHERS;
    if let Some(limit) = descriptors().filter(|limit| *limit < needed) {
        let why = format!("{needed} descriptors are needed, and {limit} are allowed");
        return rows(&[], Some(&why));
    }
    pin_clients();
    let unpin = Unpin;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("the system has what a runtime needs");
    let mut figures: Vec<(Kind, Figures)> = Vec::new();
    for kind in Kind::ALL {
        figures.push((kind, Figures::default()));
    }
    for _ in 0..effort.rounds.div_ceil(2) {
        for (kind, figures) in &mut figures {
            let Some(mut process) = Process::start(*kind, go.program()) else {
                continue;
            };
            // What is made once is made before.
            drop(Asking::new(process.address, WORK));
            let idle = process.memory();
            let crowd = Crowd::gather(&runtime, process.address);
            process.until_live(CROWD as i64 * PARTS);
            if let (Some(idle), Some(full)) = (idle, process.memory()) {
                figures.memory.push((full - idle) / CROWD as f64);
            }
            process.stats(true);
            let began = crowd.hang_up(&runtime);
            let stats = process.until_live(0);
            let gone = Duration::from_micros(stats.last_end.saturating_sub(began));
            figures.gone.push(gone.as_nanos() as f64);
            figures.slowest.push(stats.slowest as f64);
            let late = latest_of_crowd(&runtime, process.address);
            figures.late.push(late.as_nanos() as f64);
        }
    }
    drop(unpin);
    rows(&figures, None)
}

fn rows(figures: &[(Kind, Figures)], why: Option<&str>) -> Vec<Row> {
    let of = |kind: Kind, series: fn(&Figures) -> &Vec<f64>| {
        let found = figures.iter().find(|(other, _)| *other == kind);
        found.map_or(&[][..], |(_, figures)| series(figures).as_slice())
    };
    type SeriesOf = fn(&Figures) -> &Vec<f64>;
    // What limits them is in docs/DESIGN.md, "What does a request cost, and why no less?".
    let specs: [(&str, &str, &str, SeriesOf, f64, f64); 4] = [
        (
            "20",
            "5,000 waiting requests: memory above idle, a request",
            "B",
            |figures| &figures.memory,
            1.1,
            1.0,
        ),
        (
            "21",
            "their clients hang up at once: until the last task is gone",
            "ns",
            |figures| &figures.gone,
            2.0,
            1.0,
        ),
        (
            "21",
            "meanwhile: the slowest question of a bystander",
            "ns",
            |figures| &figures.slowest,
            2.0,
            1.0,
        ),
        (
            "22",
            "5,000 deadlines within 100 ms: how late the latest 504 is",
            "ns",
            |figures| &figures.late,
            2.0,
            1.0,
        ),
    ];
    let mut rows = Vec::new();
    for (id, work, unit, series, by_hand, go) in specs {
        for (kind, limit) in [(Kind::ByHand, by_hand), (Kind::Go, go)] {
            let target = Target::AtMost(limit);
            let against = kind.name();
            let (ours, theirs) = (of(Kind::Ours, series), of(kind, series));
            rows.push(match why {
                Some(why) => Row::unmeasured(id, work, against, Some(target), why),
                None => compared(id, work, against, unit, target, ours, theirs),
            });
        }
    }
    rows
}

/// How many descriptors a process may have.
fn descriptors() -> Option<u64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"))?;
    line.split_whitespace().nth(3)?.parse().ok()
}
