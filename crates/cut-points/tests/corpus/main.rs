//! Programs with planted faults, which must be found where they are, and healthy ones, of which
//! none may be accused.
//!
//! A line with the mark `// CUT` is one at which a cut must leave a fault; no other line may be
//! named. A program that follows a public report cites it. Each program is run several times, and
//! has the same points and verdicts each time.

mod healthy;
mod planted;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use cut_points::{FaultKind, Report};

/// How often each program is run.
const TIMES: usize = 5;

/// A program with a fault.
struct Planted {
    name: &'static str,
    /// The public report that it follows.
    after: Option<&'static str>,
    kind: FaultKind,
    /// The number of lines with the mark.
    marks: usize,
    run: fn() -> Report,
}

/// A program without one.
struct Healthy {
    name: &'static str,
    run: fn() -> Report,
}

const fn planted(
    name: &'static str,
    kind: FaultKind,
    marks: usize,
    run: fn() -> Report,
) -> Planted {
    Planted {
        name,
        after: None,
        kind,
        marks,
        run,
    }
}

impl Planted {
    const fn after(mut self, report: &'static str) -> Planted {
        self.after = Some(report);
        self
    }

    /// What is wrong with the report, if anything.
    fn judge(&self, report: &Report) -> Option<String> {
        if report.clean_failure().is_some() {
            return Some("it fails without a cut".to_owned());
        }
        let mut marked = BTreeSet::new();
        let mut kinds = Vec::new();
        for cut in report.failures() {
            // The innermost frame of this test: below it there may be one of tokio-ctx.
            let is_here = |frame: &&cut_points::Frame| frame.file().contains("/corpus/");
            let mut frames = cut
                .places()
                .iter()
                .filter_map(|place| place.frames().iter().find(is_here));
            let line = frames.find(|frame| is_marked(frame));
            let Some(line) = line else {
                return Some(format!(
                    "point {} is accused, at no line with the mark",
                    cut.point()
                ));
            };
            marked.insert((line.file().to_owned(), line.line()));
            kinds.extend(cut.faults().iter().map(cut_points::Fault::kind));
        }
        if marked.len() != self.marks {
            return Some(format!(
                "{} lines were found of {}",
                marked.len(),
                self.marks
            ));
        }
        (!kinds.contains(&self.kind)).then(|| format!("not {:?}, but {kinds:?}", self.kind))
    }
}

/// On the line itself, or on the next one where the line ends with a brace.
fn is_marked(frame: &cut_points::Frame) -> bool {
    let manifest = env!("CARGO_MANIFEST_DIR");
    let file = frame.file().rsplit("/tests/").next().unwrap_or_default();
    let text =
        std::fs::read_to_string(format!("{manifest}/tests/{file}")).expect("a file of this test");
    let mut lines = text.lines().skip(frame.line() as usize - 1);
    let mut next = || lines.next().unwrap_or_default().trim();
    next().contains("// CUT") || next().starts_with("// CUT")
}

/// Points and verdicts in one line, in which five runs must agree.
fn line(report: &Report) -> String {
    let mut line = format!("{} points", report.points());
    for cut in report.failures() {
        let kinds: Vec<_> = cut.faults().iter().map(cut_points::Fault::kind).collect();
        let _ = write!(line, ", {} {kinds:?}", cut.point());
    }
    line
}

/// The first report, and whether the others say the same.
fn repeated(run: fn() -> Report) -> (Report, Option<String>) {
    let first = run();
    for _ in 1..TIMES {
        let again = line(&run());
        if again != line(&first) {
            let differ = format!("runs differ: {} and {again}", line(&first));
            return (first, Some(differ));
        }
    }
    (first, None)
}

#[test]
fn every_planted_fault_is_found_and_no_healthy_program_is_accused() {
    let began = Instant::now();
    let (planted, healthy) = (planted::all(), healthy::all());
    let mut missed = Vec::new();
    for program in &planted {
        let (report, differ) = repeated(program.run);
        println!("planted {}: {}", program.name, line(&report));
        if let Some(why) = program.judge(&report).or(differ) {
            missed.push(format!("missed {}: {why}\n{report}", program.name));
        }
    }
    let mut accused = Vec::new();
    for program in &healthy {
        let (report, differ) = repeated(program.run);
        println!("healthy {}: {}", program.name, line(&report));
        let vacuous = || (report.points() == 0).then(|| "it has no point".to_owned());
        let fault = (!report.is_ok()).then(|| "it is accused".to_owned());
        if let Some(why) = fault.or_else(vacuous).or(differ) {
            accused.push(format!("wrongly accused {}: {why}\n{report}", program.name));
        }
    }
    for text in missed.iter().chain(&accused) {
        println!("\n{text}");
    }
    println!(
        "{} healthy programs, each run {TIMES} times, in {:.1?}",
        healthy.len(),
        began.elapsed()
    );
    println!(
        "cuts: {} planted, {} missed, {} wrongly accused",
        planted.len(),
        missed.len(),
        accused.len(),
    );
    assert!(
        missed.is_empty() && accused.is_empty(),
        "the corpus does not hold; see above"
    );
}

#[test]
fn the_corpus_is_as_large_as_it_says() {
    let planted = planted::all();
    assert!(planted.len() >= 25 && healthy::all().len() >= 25);
    let reports: BTreeSet<_> = planted.iter().filter_map(|program| program.after).collect();
    assert!(reports.len() >= 10, "{reports:?}");
    let names: BTreeSet<_> = planted.iter().map(|program| program.name).collect();
    assert_eq!(names.len(), planted.len(), "a name is used twice");
}

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
