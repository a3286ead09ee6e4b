//! Findings as one JSON object.

use serde_json::{Value, json};

use crate::engine::{FileReport, Outcome};
use crate::finding::Finding;

/// The whole report. `version` changes when a field changes its meaning or goes away.
pub(crate) fn render(outcome: &Outcome) -> String {
    let findings: Vec<Value> = outcome
        .files
        .iter()
        .flat_map(|file| {
            file.findings
                .iter()
                .map(|finding| of_finding(file, finding))
        })
        .collect();
    let errors: Vec<Value> = outcome
        .errors
        .iter()
        .map(|trouble| {
            let line = (trouble.line > 0).then_some(trouble.line);
            json!({ "file": trouble.shown, "line": line, "message": trouble.message })
        })
        .collect();
    let report = json!({
        "version": 1,
        "findings": findings,
        "errors": errors,
        "stats": outcome.stats,
    });
    format!("{report:#}\n")
}

fn of_finding(file: &FileReport, finding: &Finding) -> Value {
    let fix = finding.fix.as_ref().map(|fix| {
        let edits = fix.iter().map(|edit| {
            let mut edit_json = range(file, &edit.range);
            edit_json["replacement"] = json!(edit.replacement);
            edit_json
        });
        edits.collect::<Vec<_>>()
    });
    let mut report = json!({
        "rule": finding.rule,
        "level": finding.level,
        "file": file.shown,
        "message": finding.message,
        "label": finding.label,
        "help": finding.help,
        "fix": fix,
    });
    if let (Value::Object(report), Value::Object(range)) =
        (&mut report, range(file, &finding.range))
    {
        report.extend(range);
    }
    report
}

fn range(file: &FileReport, range: &std::ops::Range<usize>) -> Value {
    let start = file.text.position(range.start);
    let end = file.text.position(range.end);
    json!({
        "line": start.line,
        "column": start.column,
        "end_line": end.line,
        "end_column": end.column,
    })
}
