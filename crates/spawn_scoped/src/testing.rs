//! What tests of this crate and of those above it set; not for applications.

use std::time::Duration;

/// Lets stragglers be reported every `period` of real time, from the next report on, instead of
/// every five seconds. For the whole process.
pub fn set_report_period(period: Duration) {
    crate::rt::set_report_period(period);
}
