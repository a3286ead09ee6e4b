//! The report for other programs.

use serde_json::{Value, json};

use super::data::{Cut, Outcome, Report};

impl Report {
    /// The report as JSON: `ok`, `mode`, `test`, `at`, `points`, `runs`, `seconds`, `notes`, the
    /// faults of a run without a cut as `clean`, and for each cut its `point`, `outcome`, `faults`
    /// and `places`.
    ///
    /// With the environment variable `CUT_POINTS_REPORTS` it is written into that directory, too.
    pub fn to_json(&self) -> String {
        let report = json!({
            "ok": self.is_ok(),
            "mode": self.mode.method(),
            "test": self.test,
            "at": format!("{}:{}", self.caller.file(), self.caller.line()),
            "points": self.points,
            "runs": self.runs,
            "seconds": self.took.as_secs_f64(),
            "notes": self.notes,
            "clean": self.clean.as_ref().map(faults),
            "cuts": self.cuts.iter().map(|cut| self.cut(cut)).collect::<Vec<_>>(),
        });
        report.to_string()
    }

    fn cut(&self, cut: &Cut) -> Value {
        let mut value = json!({
            "point": cut.point,
            "outcome": outcome(&cut.outcome),
            "faults": faults(cut),
        });
        if let Outcome::Failed(error) | Outcome::Panicked(error) = &cut.outcome {
            value["error"] = json!(error);
        }
        if !cut.faults.is_empty() {
            value["places"] = cut.places.iter().map(place).collect();
            value["after_task"] = json!(cut.between);
            value["replay"] = json!(self.replay(cut.point));
        }
        value
    }
}

fn outcome(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Dropped => "dropped",
        Outcome::Cancelled => "cancelled",
        Outcome::Finished => "finished",
        Outcome::Failed(_) => "failed",
        Outcome::Panicked(_) => "panicked",
        Outcome::Deaf => "deaf",
        Outcome::Hangs => "hangs",
    }
}

fn faults(cut: &Cut) -> Value {
    let fault =
        |fault: &super::Fault| json!({ "kind": format!("{:?}", fault.kind), "text": fault.text });
    cut.faults.iter().map(fault).collect()
}

fn place(place: &crate::name::Place) -> Value {
    let frame = |frame: &crate::name::Frame| {
        json!({
            "file": frame.file,
            "line": frame.line,
            "column": frame.column,
            "function": frame.function,
            "source": frame.source,
        })
    };
    json!({
        "awaits": place.awaited,
        "library": place.library.iter().map(frame).collect::<Vec<_>>(),
        "frames": place.frames.iter().map(frame).collect::<Vec<_>>(),
    })
}
