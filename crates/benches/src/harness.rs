//! Measures rivals in turns: A B A B, so that whatever the machine does, it does to both.

use std::time::{Duration, Instant};

use crate::go::Go;
use crate::quiet::{Verdict, Watch};

/// One way to do a work: given how often, it tells how long that took.
type Work<'a> = Box<dyn FnMut(u64) -> Option<Duration> + 'a>;

/// Rivals that do the same work, and the rows of the table that compare them.
pub(crate) struct Group<'a> {
    sides: Vec<Side<'a>>,
    rows: Vec<RowSpec>,
}

struct Side<'a> {
    name: &'static str,
    work: Work<'a>,
    /// The smallest part that may be repeated alone, for works that do many things at once.
    per: u64,
    peer: Option<u32>,
    /// Chosen by the calibration; `None` when the side cannot be measured here.
    times: Option<u64>,
}

struct RowSpec {
    id: &'static str,
    work: String,
    ours: &'static str,
    theirs: &'static str,
    target: Option<Target>,
    /// Compares how much is done in a time, instead of the time that it takes.
    is_throughput: bool,
}

/// What the ratio of a row may be.
#[derive(Clone, Copy)]
pub(crate) enum Target {
    AtMost(f64),
    AtLeast(f64),
}

/// How much time to spend.
#[derive(Clone, Copy)]
pub(crate) struct Effort {
    pub(crate) rounds: usize,
    pub(crate) round: Duration,
    /// For one group, repeated rounds included.
    pub(crate) patience: Duration,
    /// Keeps disturbed rounds: for working on the benchmarks, never for a published figure.
    pub(crate) keep_disturbed: bool,
}

/// Turns per side within one round.
const TURNS: u64 = 4;

/// Rounds below which there is no figure.
const FEWEST: usize = 3;

/// What a side took, in nanoseconds per unit of work, one figure for each round.
pub(crate) struct Series {
    pub(crate) name: &'static str,
    pub(crate) figures: Vec<f64>,
}

/// A finished row.
pub(crate) struct Row {
    pub(crate) id: &'static str,
    pub(crate) work: String,
    pub(crate) against: String,
    pub(crate) ours: Option<f64>,
    pub(crate) theirs: Option<f64>,
    pub(crate) ratio: Option<f64>,
    /// Half of the distance between the quartiles of the ratios of single rounds.
    pub(crate) spread: Option<f64>,
    pub(crate) unit: &'static str,
    pub(crate) target: Option<Target>,
    pub(crate) remark: Option<String>,
}

impl Row {
    /// Whether the row meets its target; `None` when it has none or was not measured.
    pub(crate) fn passes(&self) -> Option<bool> {
        match self.target? {
            Target::AtMost(limit) => Some(self.ratio? <= limit),
            Target::AtLeast(limit) => Some(self.ratio? >= limit),
        }
    }

    /// A row without figures.
    pub(crate) fn unmeasured(
        id: &'static str,
        work: impl Into<String>,
        against: impl Into<String>,
        target: Option<Target>,
        remark: impl Into<String>,
    ) -> Row {
        Row {
            id,
            work: work.into(),
            against: against.into(),
            ours: None,
            theirs: None,
            ratio: None,
            spread: None,
            unit: "ns",
            target,
            remark: Some(remark.into()),
        }
    }
}

impl<'a> Group<'a> {
    pub(crate) fn new() -> Group<'a> {
        Group {
            sides: Vec::new(),
            rows: Vec::new(),
        }
    }

    /// A side that measures itself, so that preparations can be left out.
    pub(crate) fn timed(
        mut self,
        name: &'static str,
        mut work: impl FnMut(u64) -> Duration + 'a,
    ) -> Self {
        self.sides.push(Side {
            name,
            work: Box::new(move |times| Some(work(times))),
            per: 1,
            peer: None,
            times: None,
        });
        self
    }

    /// A side all of whose work counts.
    pub(crate) fn side(self, name: &'static str, mut work: impl FnMut() + 'a) -> Self {
        self.timed(name, move |times| {
            let start = Instant::now();
            for _ in 0..times {
                work();
            }
            start.elapsed()
        })
    }

    /// The Go program's side, if there is one.
    pub(crate) fn go(
        mut self,
        name: &'static str,
        go: &'a Go,
        work: &'static str,
        procs: usize,
    ) -> Self {
        self.sides.push(Side {
            name,
            work: Box::new(move |times| go.measure(work, times, procs)),
            per: 1,
            peer: go.id(),
            times: None,
        });
        self
    }

    /// Says that the side added last does its work `units` times each time it is asked to.
    pub(crate) fn per(mut self, units: u64) -> Self {
        if let Some(side) = self.sides.last_mut() {
            side.per = units;
        }
        self
    }

    /// A row of the table.
    pub(crate) fn row(
        mut self,
        id: &'static str,
        work: impl Into<String>,
        ours: &'static str,
        theirs: &'static str,
        target: impl Into<Option<f64>>,
    ) -> Self {
        self.rows.push(RowSpec {
            id,
            work: work.into(),
            ours,
            theirs,
            target: target.into().map(Target::AtMost),
            is_throughput: false,
        });
        self
    }

    /// A row that compares throughput: the more the better.
    pub(crate) fn throughput_row(
        mut self,
        id: &'static str,
        work: impl Into<String>,
        ours: &'static str,
        theirs: &'static str,
        at_least: impl Into<Option<f64>>,
    ) -> Self {
        self.rows.push(RowSpec {
            id,
            work: work.into(),
            ours,
            theirs,
            target: at_least.into().map(Target::AtLeast),
            is_throughput: true,
        });
        self
    }

    pub(crate) fn has_row(&self, wanted: &dyn Fn(&str) -> bool) -> bool {
        self.rows.iter().any(|row| wanted(row.id))
    }

    /// Measures all sides, and makes the rows.
    pub(crate) fn measure(mut self, effort: Effort) -> Vec<Row> {
        let (series, voided) = self.series(effort);
        let rows = std::mem::take(&mut self.rows);
        rows.into_iter()
            .map(|row| finish(row, &series, voided))
            .collect()
    }

    /// The figures of all sides that can be measured here, and how many rounds were voided.
    pub(crate) fn series(&mut self, effort: Effort) -> (Vec<Series>, usize) {
        let turn = effort.round / (self.sides.len() as u32 * TURNS as u32);
        for side in &mut self.sides {
            side.calibrate(turn);
        }
        self.sides.retain(|side| side.times.is_some());
        let mut peers: Vec<u32> = self.sides.iter().filter_map(|side| side.peer).collect();
        peers.sort_unstable();
        peers.dedup();
        let mut series: Vec<Series> = self
            .sides
            .iter()
            .map(|side| Series {
                name: side.name,
                figures: Vec::new(),
            })
            .collect();
        let mut voided = 0;
        let mut done = 0;
        // The calibration was the warm-up, but one round in turns comes first all the same.
        let _ = self.round();
        let started = Instant::now();
        while done < effort.rounds {
            let watch = Watch::start(&peers);
            let figures = self.round();
            if matches!(watch.verdict(), Verdict::Disturbed) && !effort.keep_disturbed {
                voided += 1;
                if started.elapsed() > effort.patience {
                    break;
                }
                continue;
            }
            for (series, figure) in series.iter_mut().zip(figures) {
                series.figures.push(figure);
            }
            done += 1;
        }
        (series, voided)
    }

    /// One figure for each side: the median of its turns.
    fn round(&mut self) -> Vec<f64> {
        let mut turns = vec![Vec::new(); self.sides.len()];
        for turn in 0..TURNS {
            let mut order: Vec<usize> = (0..self.sides.len()).collect();
            // Nobody always comes after the same neighbour.
            if turn % 2 == 1 {
                order.reverse();
            }
            for index in order {
                turns[index].push(self.sides[index].turn());
            }
        }
        turns.iter().map(|turns| median(turns)).collect()
    }
}

impl Side<'_> {
    /// Finds how often the work fits into `turn`. Preparations that do not count may take
    /// three times as long as what does.
    fn calibrate(&mut self, turn: Duration) {
        let mut times = 1;
        let mut spend = |times| {
            let start = Instant::now();
            let took = (self.work)(times)?;
            Some(took.max(start.elapsed() / 4))
        };
        loop {
            // The better of two, since one may have been kept waiting.
            let (Some(one), Some(other)) = (spend(times), spend(times)) else {
                return;
            };
            let spent = one.min(other);
            if spent * 4 >= turn || times > 1 << 40 {
                let fitting = times as f64 * turn.as_secs_f64() / spent.as_secs_f64().max(1e-9);
                self.times = Some((fitting as u64).max(1));
                return;
            }
            times *= 2;
        }
    }

    fn turn(&mut self) -> f64 {
        let times = self.times.unwrap_or(1);
        match (self.work)(times) {
            Some(took) => took.as_nanos() as f64 / (times * self.per) as f64,
            None => f64::NAN,
        }
    }
}

fn finish(row: RowSpec, series: &[Series], voided: usize) -> Row {
    let of = |name| {
        let found = series.iter().find(|series: &&Series| series.name == name)?;
        Some(found.figures.as_slice())
    };
    let unmeasured =
        |why: &str| Row::unmeasured(row.id, row.work.clone(), row.theirs, row.target, why);
    let (Some(ours), Some(theirs)) = (of(row.ours), of(row.theirs)) else {
        return unmeasured("no Go here");
    };
    if ours.len() < FEWEST {
        return unmeasured("the machine was never quiet");
    }
    let ratio = |ours: f64, theirs: f64| match row.is_throughput {
        true => theirs / ours,
        false => ours / theirs,
    };
    let ratios: Vec<f64> = ours
        .iter()
        .zip(theirs)
        .map(|(a, b)| ratio(*a, *b))
        .collect();
    let against = match row.ours {
        "tokio-ctx" | "scope" => row.theirs.to_owned(),
        other => format!("{}; ours: {other}", row.theirs),
    };
    Row {
        against,
        ours: Some(median(ours)),
        theirs: Some(median(theirs)),
        ratio: Some(ratio(median(ours), median(theirs))),
        spread: Some((quantile(&ratios, 0.75) - quantile(&ratios, 0.25)) / 2.0),
        id: row.id,
        work: row.work,
        unit: "ns",
        target: row.target,
        remark: (voided > 0).then(|| format!("{voided} rounds voided")),
    }
}

/// A row from figures that were taken elsewhere, one of each side in a round.
pub(crate) fn compared(
    id: &'static str,
    work: &str,
    against: &str,
    unit: &'static str,
    target: Target,
    ours: &[f64],
    theirs: &[f64],
) -> Row {
    if ours.len().min(theirs.len()) < FEWEST {
        return Row::unmeasured(id, work, against, Some(target), "no figures here");
    }
    let ratios: Vec<f64> = ours.iter().zip(theirs).map(|(a, b)| a / b).collect();
    Row {
        id,
        work: work.to_owned(),
        against: against.to_owned(),
        ours: Some(median(ours)),
        theirs: Some(median(theirs)),
        ratio: Some(median(ours) / median(theirs)),
        spread: Some((quantile(&ratios, 0.75) - quantile(&ratios, 0.25)) / 2.0),
        unit,
        target: Some(target),
        remark: None,
    }
}

pub(crate) fn median(figures: &[f64]) -> f64 {
    quantile(figures, 0.5)
}

fn quantile(figures: &[f64], at: f64) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = at * (sorted.len().saturating_sub(1)) as f64;
    let (below, above) = (place.floor() as usize, place.ceil() as usize);
    match (sorted.get(below), sorted.get(above)) {
        (Some(low), Some(high)) => low + (high - low) * place.fract(),
        _ => f64::NAN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between_their_neighbours() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0]), 2.5);
        assert_eq!(quantile(&[0.0, 4.0, 8.0], 0.25), 2.0);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn a_side_that_takes_twice_as_long_has_half_the_ratio() {
        let effort = Effort {
            rounds: 3,
            round: Duration::from_millis(1),
            patience: Duration::ZERO,
            keep_disturbed: true,
        };
        let rows = Group::new()
            .timed("tokio-ctx", |times| Duration::from_nanos(50 * times))
            .timed("rival", |times| Duration::from_nanos(100 * times))
            .row("x", "a work", "tokio-ctx", "rival", 0.5)
            .row("y", "a work", "tokio-ctx", "nobody", 0.5)
            .measure(effort);
        assert_eq!(rows[0].ratio, Some(0.5));
        assert_eq!(rows[0].passes(), Some(true));
        assert_eq!(rows[1].passes(), None);
    }
}
