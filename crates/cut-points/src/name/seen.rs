//! The traces of one poll.

use std::backtrace::Backtrace;
use std::sync::{Arc, Mutex, PoisonError};

use super::place::Place;
use super::trace::Trace;

/// The backtraces of one poll. They are resolved on demand, since that takes time.
#[derive(Clone, Default)]
pub(crate) struct Seen(Arc<Mutex<Vec<Backtrace>>>);

impl Seen {
    pub(crate) fn record(&self) {
        let trace = Backtrace::force_capture();
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(trace);
    }

    /// The awaits at which the call stands; more than one where it waits for several things.
    pub(crate) fn places(&self) -> Vec<Place> {
        let traces = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all: Vec<Trace> = traces.iter().map(Trace::read).collect();
        let Some(last) = all.last() else {
            return Vec::new();
        };
        let mut places: Vec<Place> = Vec::new();
        for trace in all.iter().filter(|trace| !trace.is_passed_by(last)) {
            let place = trace.place();
            if !places.contains(&place) {
                places.push(place);
            }
        }
        places
    }
}
