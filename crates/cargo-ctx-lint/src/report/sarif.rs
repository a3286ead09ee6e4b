//! Findings as SARIF 2.1.0, which code hosts show beside the lines of a change.

use serde_json::{Value, json};

use crate::engine::{FileReport, Outcome, Trouble};
use crate::finding::{Finding, Level};
use crate::registry;

/// The whole report.
pub(crate) fn render(outcome: &Outcome) -> String {
    let results: Vec<Value> = outcome
        .files
        .iter()
        .flat_map(|file| {
            file.findings
                .iter()
                .map(|finding| of_finding(file, finding))
        })
        .collect();
    let of_rules: Vec<Value> = registry::ALL
        .iter()
        .map(|rule| {
            json!({
                "id": rule.id,
                "shortDescription": { "text": rule.summary },
                "help": { "text": rule.explain },
            })
        })
        .collect();
    let notifications: Vec<Value> = outcome.errors.iter().map(of_trouble).collect();
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "cargo-ctx-lint",
                "version": env!("CARGO_PKG_VERSION"),
                "informationUri": env!("CARGO_PKG_REPOSITORY"),
                "rules": of_rules,
            }},
            "columnKind": "unicodeCodePoints",
            "originalUriBaseIds": { "SRCROOT": {
                "description": { "text": "the root of the workspace" },
            }},
            "invocations": [{
                "executionSuccessful": outcome.errors.is_empty(),
                "toolExecutionNotifications": notifications,
            }],
            "results": results,
        }],
    });
    format!("{log:#}\n")
}

fn of_finding(file: &FileReport, finding: &Finding) -> Value {
    let level = match finding.level {
        Level::Deny => "error",
        Level::Warn => "warning",
        Level::Allow => "note",
    };
    let mut result = json!({
        "ruleId": finding.rule,
        "ruleIndex": registry::ALL.iter().position(|rule| rule.id == finding.rule),
        "level": level,
        "message": { "text": format!("{}: {}\nhelp: {}", finding.message, finding.label, finding.help) },
        "locations": [{ "physicalLocation": {
            "artifactLocation": artifact(&file.shown),
            "region": region(file, &finding.range),
        }}],
    });
    if let Some(fix) = &finding.fix {
        result["fixes"] = json!([{
            "description": { "text": finding.help },
            "artifactChanges": [{
                "artifactLocation": artifact(&file.shown),
                "replacements": fix.iter().map(|edit| json!({
                    "deletedRegion": region(file, &edit.range),
                    "insertedContent": { "text": edit.replacement },
                })).collect::<Vec<_>>(),
            }],
        }]);
    }
    result
}

fn of_trouble(trouble: &Trouble) -> Value {
    let mut location = json!({ "artifactLocation": artifact(&trouble.shown) });
    if trouble.line > 0 {
        location["region"] = json!({ "startLine": trouble.line });
    }
    json!({
        "level": "error",
        "message": { "text": trouble.message },
        "locations": [{ "physicalLocation": location }],
    })
}

fn artifact(shown: &str) -> Value {
    json!({ "uri": uri(shown), "uriBaseId": "SRCROOT" })
}

fn region(file: &FileReport, range: &std::ops::Range<usize>) -> Value {
    let start = file.text.position(range.start);
    let end = file.text.position(range.end);
    json!({
        "startLine": start.line,
        "startColumn": start.column,
        "endLine": end.line,
        "endColumn": end.column,
    })
}

/// A path as a relative reference: everything but unreserved characters and `/` is escaped.
fn uri(path: &str) -> String {
    let mut uri = String::new();
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri += &format!("%{byte:02X}");
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::uri;

    #[test]
    fn paths_become_references() {
        assert_eq!(uri("src/a b/é.rs"), "src/a%20b/%C3%A9.rs");
    }
}
