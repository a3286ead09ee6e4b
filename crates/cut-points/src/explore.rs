//! All runs of one test: without a cut first, then one for each point.

use std::panic::Location;
use std::time::Instant;

use crate::engine::Event;
use crate::environment;
use crate::report::{Fault, Mode, Report};
use crate::run::{Run, Runner};
use crate::sample::{self, sample};

/// Runs for one point, where runs differ among themselves.
const TRIES: u32 = 6;

/// Cuts everywhere.
pub(crate) fn explore<W>(mut runner: Runner<'_, W>, caller: &'static Location<'static>) -> Report {
    let began = Instant::now();
    let mut report = Report {
        mode: runner.mode,
        test: std::thread::current()
            .name()
            .filter(|name| *name != "main")
            .map(str::to_owned),
        caller,
        points: 0,
        runs: 0,
        took: Default::default(),
        clean: None,
        cuts: Vec::new(),
        notes: Vec::new(),
    };
    if let Some(points) = clean_runs(&mut runner, &mut report) {
        report.points = points;
        cuts(&runner, &mut report);
    }
    report.took = began.elapsed();
    if let Err(why) = environment::save(&report) {
        report
            .notes
            .push(format!("the report could not be saved: {why}"));
    }
    report
}

/// How many points there are, if the call is sound as long as nothing is cut.
fn clean_runs<W>(runner: &mut Runner<'_, W>, report: &mut Report) -> Option<u64> {
    let mut first = counted(runner, report, None, false);
    if !first.faults.is_empty() && runner.settings.ready {
        runner.settings.ready = false;
        let again = counted(runner, report, None, false);
        if again.faults.is_empty() {
            let what = first.faults[0].text();
            report.notes.push(format!(
                "awaits that are ready at once are no points here, because the call goes wrong where \
                 such an await waits for one poll, as it may under load: {what}"
            ));
        }
        first = again;
    }
    if !first.faults.is_empty() {
        report.clean = Some(first.cut(0));
        return None;
    }
    runner.usual_panics.clone_from(&first.panics);
    let second = counted(runner, report, None, false);
    runner.usual_panics.extend(second.panics.iter().cloned());
    if first.events != second.events {
        runner.differs = true;
        report
            .notes
            .push(differ(points(runner, &first), points(runner, &second)));
    }
    Some(points(runner, &first).max(points(runner, &second)))
}

fn differ(one: u64, other: u64) -> String {
    format!(
        "two runs without a cut differ ({one} and {other} points): each point is tried {TRIES} times"
    )
}

fn cuts<W>(runner: &Runner<'_, W>, report: &mut Report) {
    let settings = &runner.settings;
    if let Some(only) = settings.only {
        if !cut(runner, report, only, TRIES) {
            report.notes.push(format!(
                "point {only} was to be cut alone, and was not reached"
            ));
        }
        report.notes.push(format!("only point {only} was cut"));
        return;
    }
    // Where runs differ, a point may be missed by one and reached by the next.
    let tries = if settings.real_time || runner.differs {
        TRIES
    } else {
        1
    };
    if report.points > settings.most_points {
        let seed = settings.seed.unwrap_or_else(sample::seed);
        report.notes.push(format!(
            "{} points of {} were cut; {}={seed} cuts the same ones",
            settings.most_points,
            report.points,
            environment::SEED,
        ));
        for point in sample(report.points, settings.most_points, seed) {
            cut(runner, report, point, tries);
        }
        return;
    }
    let mut point = 1;
    while point <= settings.most_points && cut(runner, report, point, tries) {
        report.points = report.points.max(point);
        point += 1;
    }
    if report.points == 0 {
        let nothing = match runner.mode {
            Mode::Fail => "the call uses nothing that can fail: see `fault_here` and `Faulty`",
            _ => "the call never waits, so there is no point at which to cut it",
        };
        report.notes.push(nothing.to_owned());
    }
}

/// Whether the point was reached.
fn cut<W>(runner: &Runner<'_, W>, report: &mut Report, point: u64, tries: u32) -> bool {
    // Where runs are the same, only one that failed is worth the names, and is run again for them.
    let settings = &runner.settings;
    let recorded = settings.real_time || runner.differs || settings.only.is_some();
    for _ in 0..tries {
        let run = counted(runner, report, Some(point), recorded);
        if run.reached {
            let run = if recorded {
                run
            } else {
                named(runner, report, point, run)
            };
            report.cuts.push(run.cut(point));
            return true;
        }
        if let Some(fault) = run.faults.first() {
            report.notes.push(format!(
                "a run that ended before point {point} failed: {}",
                fault.text()
            ));
        }
    }
    false
}

/// The same cut with names, if something is wrong, and if it goes wrong the same way again.
fn named<W>(runner: &Runner<'_, W>, report: &mut Report, point: u64, run: Run) -> Run {
    if run.faults.is_empty() || runner.mode == Mode::Fail {
        return run;
    }
    let again = counted(runner, report, Some(point), true);
    let kinds = |run: &Run| run.faults.iter().map(Fault::kind).collect::<Vec<_>>();
    if again.reached && kinds(&again) == kinds(&run) {
        again
    } else {
        run
    }
}

fn counted<W>(runner: &Runner<'_, W>, report: &mut Report, at: Option<u64>, recorded: bool) -> Run {
    report.runs += 1;
    runner.run(at, recorded)
}

fn points<W>(runner: &Runner<'_, W>, run: &Run) -> u64 {
    if runner.mode == Mode::Fail {
        return run.uses;
    }
    let steps = runner.settings.steps;
    let counts = |event: &&Event| steps || **event == Event::Waits;
    run.events.iter().filter(counts).count() as u64
}
