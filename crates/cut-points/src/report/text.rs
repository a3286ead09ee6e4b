//! The report for a person at a terminal.

use std::fmt;
use std::mem::discriminant;

use super::data::{Cut, Mode, Outcome, Report};

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.summary())?;
        if let Some(outcomes) = self.outcomes() {
            writeln!(f, "{outcomes}")?;
        }
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        if let Some(clean) = &self.clean {
            writeln!(
                f,
                "\nthe call fails although nothing is cut, so nothing was cut:"
            )?;
            faults(f, clean)?;
        }
        for group in self.groups() {
            let first = group[0];
            writeln!(f, "\n{}", self.title(&group))?;
            places(f, first)?;
            if !matches!(first.outcome, Outcome::Dropped) {
                writeln!(f, "  the call {}", first.outcome)?;
            }
            faults(f, first)?;
            writeln!(f, "  replay: {}", self.replay(first.point))?;
        }
        Ok(())
    }
}

impl Report {
    /// Which cuts these are, and of how many.
    fn title(&self, group: &[&Cut]) -> String {
        let numbers = numbers(group);
        if self.mode == Mode::Fail {
            return format!("fault {numbers} of {}, in", self.points);
        }
        let between = match group.iter().all(|cut| cut.between) {
            true => ", after a spawned task was polled",
            false => "",
        };
        format!("cut {numbers} of {}{between}, while it awaits", self.points)
    }

    /// How many calls came to which end, where that is not always the same.
    pub(super) fn outcomes(&self) -> Option<String> {
        if self.cuts.is_empty() || !matches!(self.mode, Mode::Cancel | Mode::Fail) {
            return None;
        }
        let kinds = [
            ("finished", Outcome::Finished),
            ("said that they were cancelled", Outcome::Cancelled),
            ("failed otherwise", Outcome::Failed(String::new())),
            ("panicked", Outcome::Panicked(String::new())),
            ("were deaf", Outcome::Deaf),
            ("hang", Outcome::Hangs),
        ];
        let counts = kinds.iter().map(|(name, kind)| {
            let same = |cut: &&Cut| discriminant(&cut.outcome) == discriminant(kind);
            (self.cuts.iter().filter(same).count(), name)
        });
        let counts = counts.filter(|(count, _)| *count > 0);
        let counts: Vec<_> = counts
            .map(|(count, name)| format!("{count} {name}"))
            .collect();
        Some(format!(
            "of {} calls {}",
            self.cuts.len(),
            counts.join(", ")
        ))
    }

    /// One line: how many points, runs, and faults.
    pub fn summary(&self) -> String {
        let failures = self.failures().count();
        let verdict = match (&self.clean, failures) {
            (Some(_), _) => "the call fails without a cut".to_owned(),
            (None, 0) => "no cut leaves a fault".to_owned(),
            (None, 1) => "1 cut leaves a fault".to_owned(),
            (None, more) => format!("{more} cuts leave a fault"),
        };
        format!(
            "{} at {}:{}: {} points, {} runs, {:.1?}: {verdict}",
            self.mode.method(),
            self.caller.file(),
            self.caller.line(),
            self.points,
            self.runs,
            self.took,
        )
    }

    /// Failing cuts with the same faults at the same place, in the order of their first point.
    pub(super) fn groups(&self) -> Vec<Vec<&Cut>> {
        let mut groups: Vec<Vec<&Cut>> = Vec::new();
        for cut in self.failures() {
            let same = |group: &&mut Vec<&Cut>| {
                let first = group[0];
                first.places == cut.places
                    && first.faults == cut.faults
                    && first.outcome == cut.outcome
            };
            match groups.iter_mut().find(same) {
                Some(group) => group.push(cut),
                None => groups.push(vec![cut]),
            }
        }
        groups
    }

    /// The command that repeats one cut alone.
    pub(super) fn replay(&self, point: u64) -> String {
        let test = self
            .test
            .as_deref()
            .map_or_else(String::new, |test| format!(" {test}"));
        format!("CUT_POINTS_ONLY={point} cargo test{test}")
    }
}

/// `3, 5 to 8`
pub(super) fn numbers(cuts: &[&Cut]) -> String {
    let mut runs: Vec<(u64, u64)> = Vec::new();
    for cut in cuts {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == cut.point => *last = cut.point,
            _ => runs.push((cut.point, cut.point)),
        }
    }
    let runs = runs.into_iter().map(|(first, last)| match last - first {
        0 => first.to_string(),
        1 => format!("{first}, {last}"),
        _ => format!("{first} to {last}"),
    });
    runs.collect::<Vec<_>>().join(", ")
}

fn places(f: &mut fmt::Formatter<'_>, cut: &Cut) -> fmt::Result {
    if cut.places.is_empty() {
        return writeln!(f, "    something that kept no waker");
    }
    for (index, place) in cut.places.iter().enumerate() {
        if index > 0 {
            writeln!(f, "  and")?;
        }
        let awaited = place
            .awaited()
            .filter(|_| place.library_frames().is_empty());
        if let Some(awaited) = awaited {
            writeln!(f, "    {awaited}")?;
        }
        for frame in place.library_frames().iter().chain(place.frames()) {
            match frame.source() {
                Some(source) => writeln!(f, "    at {frame}: {source}")?,
                None => writeln!(f, "    at {frame}")?,
            }
        }
    }
    Ok(())
}

fn faults(f: &mut fmt::Formatter<'_>, cut: &Cut) -> fmt::Result {
    for fault in &cut.faults {
        writeln!(f, "  FAULT: {}", fault.text)?;
    }
    Ok(())
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Dropped => f.write_str("was dropped"),
            Outcome::Cancelled => f.write_str("reported that it was cancelled"),
            Outcome::Deaf => f.write_str("was deaf"),
            Outcome::Finished => f.write_str("finished"),
            Outcome::Failed(error) => write!(f, "failed: {error}"),
            Outcome::Panicked(text) => write!(f, "panicked: {text}"),
            Outcome::Hangs => f.write_str("hangs"),
        }
    }
}
