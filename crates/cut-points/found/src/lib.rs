//! Well-known crates, cut at every point: see the tests, and `docs/appendix/found.md`.

use std::sync::OnceLock;
use std::time::Duration;

use cut_points::{Frame, Report};
use servers::Postgres;

/// How often a finding must show.
const TIMES: usize = 5;

/// Runs a program with a finding, which must show each time: as a fault with `text` in it, at an
/// await in `file`.
///
/// # Panics
/// If it does not.
pub fn finds(text: &str, file: &str, run: impl Fn() -> Report) {
    for time in 1..=TIMES {
        let report = run();
        let frame = place(&report, text, file);
        let frame = frame.unwrap_or_else(|| panic!("{text:?} at no await in {file}:\n{report}"));
        let source = frame.source().unwrap_or_default();
        println!("{time} of {TIMES}: {text} at {frame}: {source}");
    }
}

fn place<'a>(report: &'a Report, text: &str, file: &str) -> Option<&'a Frame> {
    let mut cuts = report.failures();
    let cut = cuts.find(|cut| cut.faults().iter().any(|fault| fault.text().contains(text)))?;
    let frames = cut
        .places()
        .iter()
        .flat_map(|place| place.library_frames().iter().chain(place.frames()));
    // The outermost in the file: what the caller called.
    frames.filter(|frame| frame.file().contains(file)).last()
}

/// Runs a program in which nothing is found.
///
/// # Panics
/// If something is, or if there is nothing to cut.
pub fn holds(report: &Report) {
    report.assert_ok();
    assert!(report.points() > 0, "{report}");
    println!("{}", report.summary());
}

/// The host and port of a PostgreSQL server, which is started by the first who asks and ends with
/// the process.
///
/// # Panics
/// If it cannot be started.
pub fn postgres() -> (&'static str, u16) {
    static SERVER: OnceLock<Postgres> = OnceLock::new();
    let server = SERVER
        .get_or_init(|| Postgres::start().unwrap_or_else(|missing| panic!("no server: {missing}")));
    ("127.0.0.1", server.port())
}

/// So many milliseconds.
pub const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}
