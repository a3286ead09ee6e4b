//! How findings are printed.

pub(crate) mod human;
pub(crate) mod json;
pub(crate) mod sarif;

use crate::engine::Outcome;
use crate::finding::Level;

/// How many findings of that level there are.
pub(crate) fn count(outcome: &Outcome, level: Level) -> usize {
    let findings = outcome.files.iter().flat_map(|file| &file.findings);
    findings.filter(|finding| finding.level == level).count()
}
