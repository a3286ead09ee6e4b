//! What can be asked of a test from outside, without editing it.

use crate::settings::Settings;

pub(crate) const ONLY: &str = "CUT_POINTS_ONLY";
pub(crate) const SEED: &str = "CUT_POINTS_SEED";

/// The variables go before what the test says.
pub(crate) fn apply(settings: &mut Settings) {
    settings.only = number(ONLY).or(settings.only);
    settings.seed = number(SEED).or(settings.seed);
}

fn number(variable: &str) -> Option<u64> {
    let value = std::env::var(variable).ok()?;
    match value.trim().parse() {
        Ok(number) => Some(number),
        Err(_) => panic!("{variable} is to be a number, not {value:?}"),
    }
}
