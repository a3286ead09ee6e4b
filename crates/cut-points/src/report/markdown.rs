//! The report as a table, for a comment in a pull request.

use std::fmt::Write as _;

use super::data::{Cut, Outcome, Report};
use super::text::numbers;

impl Report {
    /// The report in Markdown: a line that sums it up, and a table of the cuts that left a fault.
    ///
    /// With the environment variable `CUT_POINTS_REPORTS` it is written into that directory, too.
    pub fn to_markdown(&self) -> String {
        let mut text = String::new();
        if let Some(test) = &self.test {
            let _ = writeln!(text, "### {}\n", code(test));
        }
        let mark = if self.is_ok() { "✅" } else { "❌" };
        let _ = writeln!(text, "{mark} {}", escaped(&self.summary()));
        if let Some(outcomes) = self.outcomes() {
            let _ = writeln!(text, "\n{}", escaped(&outcomes));
        }
        for note in &self.notes {
            let _ = writeln!(text, "\nnote: {}", escaped(note));
        }
        for fault in self.clean.iter().flat_map(|clean| &clean.faults) {
            let _ = writeln!(text, "\nwithout a cut: {}", escaped(&fault.text));
        }
        let groups = self.groups();
        if !groups.is_empty() {
            text.push_str("\n| cut | it awaits | what is wrong | replay |\n|---|---|---|---|\n");
        }
        for group in groups {
            let first = group[0];
            let _ = writeln!(
                text,
                "| {} of {} | {} | {} | {} |",
                numbers(&group),
                self.points,
                places(first),
                wrong(first),
                code(&self.replay(first.point)),
            );
        }
        text
    }

    /// A name for a file that belongs to this report alone.
    pub(crate) fn file_name(&self) -> String {
        let test = self.test.as_deref().unwrap_or("main");
        let name = format!("{test}-{}-{}", self.mode.method(), self.caller.line());
        let plain = |char: char| match char {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' => char,
            _ => '.',
        };
        name.chars().map(plain).collect()
    }
}

fn places(cut: &Cut) -> String {
    let mut cells = Vec::new();
    for place in &cut.places {
        if place.library.is_empty() {
            cells.extend(place.awaited.iter().map(|awaited| code(awaited)));
        }
        for frame in place.library.iter().chain(&place.frames) {
            let source = frame.source.as_deref().map_or_else(String::new, code);
            cells.push(format!("{} {source}", escaped(&frame.to_string())));
        }
    }
    if cells.is_empty() {
        cells.push("something that kept no waker".to_owned());
    }
    cells.join("<br>")
}

fn wrong(cut: &Cut) -> String {
    let mut cells: Vec<String> = cut
        .faults
        .iter()
        .map(|fault| escaped(&fault.text))
        .collect();
    if cut.outcome != Outcome::Dropped {
        cells.insert(0, format!("the call {}", escaped(&cut.outcome.to_string())));
    }
    cells.join("<br>")
}

/// Text as text: nothing in it is Markdown, HTML, or the end of a cell.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '|' | '*' | '_' | '`' | '[' | ']' | '\\' | '~' | '#' | '@' => {
                escaped.push('\\');
                escaped.push(char);
            }
            _ => escaped.push(char),
        }
    }
    escaped
}

/// Text as code, in a table: a backtick would end it, and a bar the cell.
fn code(text: &str) -> String {
    format!("<code>{}</code>", escaped(text))
}
