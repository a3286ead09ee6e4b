//! Findings as rustc prints its own.

use annotate_snippets::renderer::{DEFAULT_TERM_WIDTH, DecorStyle};
use annotate_snippets::{
    AnnotationKind, Group, Level as Severity, Origin, Patch, Renderer, Snippet,
};

use crate::engine::{FileReport, Outcome, Trouble};
use crate::finding::{Finding, Level};

/// The whole report.
pub(crate) fn render(outcome: &Outcome, color: bool) -> String {
    let renderer = if color {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    let renderer = renderer
        .decor_style(DecorStyle::Ascii)
        .term_width(DEFAULT_TERM_WIDTH);
    let mut out = String::new();
    for trouble in &outcome.errors {
        out += &renderer.render(&[of_trouble(trouble)]);
        out += "\n\n";
    }
    for file in &outcome.files {
        for finding in &file.findings {
            out += &renderer.render(&of_finding(file, finding));
            out += "\n\n";
        }
    }
    let summary = summary(outcome);
    if !summary.is_empty() {
        let worst = if outcome.count(Level::Deny) > 0 || !outcome.errors.is_empty() {
            Severity::ERROR
        } else {
            Severity::WARNING
        };
        out += &renderer.render(&[Group::with_title(worst.primary_title(summary))]);
        out.push('\n');
    }
    out
}

fn of_finding<'a>(file: &'a FileReport, finding: &'a Finding) -> Vec<Group<'a>> {
    let severity = match finding.level {
        Level::Deny => Severity::ERROR,
        Level::Warn | Level::Allow => Severity::WARNING,
    };
    let (source, path) = (file.text.as_str(), file.shown.as_str());
    let main = severity
        .primary_title(finding.message.as_str())
        .id(finding.rule)
        .element(
            Snippet::source(source).path(path).annotation(
                AnnotationKind::Primary
                    .span(finding.range.clone())
                    .label(finding.label.as_str()),
            ),
        );
    match &finding.fix {
        None => vec![main.element(Severity::HELP.message(finding.help.as_str()))],
        Some(fix) => {
            let patches = fix
                .iter()
                .map(|edit| Patch::new(edit.range.clone(), edit.replacement.as_str()));
            let help = Severity::HELP.secondary_title(finding.help.as_str());
            vec![
                main,
                help.element(Snippet::source(source).path(path).patches(patches)),
            ]
        }
    }
}

fn of_trouble(trouble: &Trouble) -> Group<'_> {
    let mut origin = Origin::path(trouble.shown.as_str());
    if trouble.line > 0 {
        origin = origin.line(trouble.line);
    }
    Severity::ERROR
        .primary_title(trouble.message.as_str())
        .element(origin)
}

fn summary(outcome: &Outcome) -> String {
    let mut parts = Vec::new();
    let mut part = |number: usize, one: &str| match number {
        0 => {}
        1 => parts.push(format!("1 {one}")),
        number => parts.push(format!("{number} {one}s")),
    };
    part(outcome.errors.len(), "unreadable file");
    part(outcome.count(Level::Deny), "finding");
    part(outcome.count(Level::Warn), "warning");
    let rule = outcome.files.iter().flat_map(|file| &file.findings).next();
    let explain =
        rule.map(|finding| format!("; `cargo ctx-lint --explain {}` says why", finding.rule));
    parts.join(", ") + &explain.unwrap_or_default()
}
