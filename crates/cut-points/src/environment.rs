//! What can be asked of a test from outside, without editing it.

use std::path::Path;
use std::{fs, io};

use crate::report::Report;
use crate::settings::Settings;

pub(crate) const ONLY: &str = "CUT_POINTS_ONLY";
pub(crate) const SEED: &str = "CUT_POINTS_SEED";
const REPORTS: &str = "CUT_POINTS_REPORTS";

/// The variables go before what the test says.
pub(crate) fn apply(settings: &mut Settings) {
    settings.only = number(ONLY).or(settings.only);
    settings.seed = number(SEED).or(settings.seed);
}

fn number(variable: &str) -> Option<u64> {
    let value = std::env::var(variable).ok()?;
    match value.trim().parse() {
        Ok(number) => Some(number),
        Err(_) => panic!("{variable} must be a number, not {value:?}"),
    }
}

/// Writes the report into the directory of `CUT_POINTS_REPORTS`, if there is one: for a machine
/// that gathers reports.
pub(crate) fn save(report: &Report) -> io::Result<()> {
    match std::env::var_os(REPORTS) {
        Some(directory) => save_in(Path::new(&directory), report),
        None => Ok(()),
    }
}

fn save_in(directory: &Path, report: &Report) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    let name = report.file_name();
    #[cfg(feature = "json")]
    fs::write(directory.join(format!("{name}.json")), report.to_json())?;
    fs::write(directory.join(format!("{name}.md")), report.to_markdown())
}
