//! The table: for a terminal, for the document, for programs.

use std::fmt::Write as _;

use crate::harness::{Row, Target};

/// How many rows have a target, and how many of those meet it.
pub(crate) fn score(rows: &[Row]) -> (usize, usize) {
    let with_target = rows.iter().filter(|row| row.target.is_some());
    let passed = rows.iter().filter(|row| row.passes() == Some(true));
    (passed.count(), with_target.count())
}

/// The last line of every run.
pub(crate) fn summary(rows: &[Row]) -> String {
    let (passed, with_target) = score(rows);
    format!("bench: {passed} of {with_target} rows pass")
}

const HEADINGS: [&str; 9] = [
    "row", "work", "against", "ours", "theirs", "ratio", "spread", "target", "pass",
];

fn cells(row: &Row) -> [String; 9] {
    let figure =
        |figure: Option<f64>| figure.map_or_else(|| "-".to_owned(), |f| amount(f, row.unit));
    let pass = match (row.passes(), row.target) {
        (Some(true), _) => "pass",
        (Some(false), _) => "FAIL",
        (None, Some(_)) => "not measured",
        (None, None) if row.ratio.is_none() => "not measured",
        (None, None) => "",
    };
    let pass = match &row.remark {
        Some(remark) if row.ratio.is_none() => format!("{pass}: {remark}"),
        _ => pass.to_owned(),
    };
    [
        row.id.to_owned(),
        row.work.clone(),
        row.against.clone(),
        figure(row.ours),
        figure(row.theirs),
        row.ratio
            .map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.3}")),
        row.spread
            .map_or_else(String::new, |spread| format!("±{spread:.3}")),
        match row.target {
            Some(Target::AtMost(limit)) => format!("{limit:.2}"),
            Some(Target::AtLeast(limit)) => format!("at least {limit:.2}"),
            None => "none".to_owned(),
        },
        pass,
    ]
}

/// A figure with a unit that people read.
pub(crate) fn amount(figure: f64, unit: &str) -> String {
    match unit {
        "ns" if figure < 10.0 => format!("{figure:.2} ns"),
        "ns" if figure < 1_000.0 => format!("{figure:.1} ns"),
        "ns" if figure < 1_000_000.0 => format!("{:.2} µs", figure / 1e3),
        "ns" => format!("{:.2} ms", figure / 1e6),
        unit if figure.fract() == 0.0 => format!("{figure:.0} {unit}"),
        unit => format!("{figure:.2} {unit}"),
    }
}

/// For a terminal: columns that stand below each other.
pub(crate) fn text(rows: &[Row]) -> String {
    let lines: Vec<[String; 9]> = std::iter::once(HEADINGS.map(str::to_owned))
        .chain(rows.iter().map(cells))
        .collect();
    let mut widths = [0; 9];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut text = String::new();
    for line in &lines {
        let padded: Vec<String> = line
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        let _ = writeln!(text, "{}", padded.join(" | ").trim_end());
    }
    text
}

/// For the document.
pub(crate) fn markdown(rows: &[Row]) -> String {
    let mut text = format!(
        "| {} |\n|{}\n",
        HEADINGS.join(" | "),
        "---|".repeat(HEADINGS.len())
    );
    for row in rows {
        let _ = writeln!(text, "| {} |", cells(row).join(" | "));
    }
    let _ = write!(text, "\n`{}`\n", summary(rows));
    text
}

/// For programs.
pub(crate) fn json(rows: &[Row], about: &[(&str, String)]) -> String {
    let number = |figure: Option<f64>| figure.map_or_else(|| "null".to_owned(), |f| format!("{f}"));
    let about: Vec<String> = about
        .iter()
        .map(|(name, value)| format!("{}:{}", quoted(name), quoted(value)))
        .collect();
    let rows_text: Vec<String> = rows
        .iter()
        .map(|row| {
            let (kind, limit) = match row.target {
                Some(Target::AtMost(limit)) => ("at most", Some(limit)),
                Some(Target::AtLeast(limit)) => ("at least", Some(limit)),
                None => ("none", None),
            };
            let pass = row.passes().map_or_else(|| "null".to_owned(), |pass| pass.to_string());
            format!(
                "{{\"row\":{},\"work\":{},\"against\":{},\"ours\":{},\"theirs\":{},\"unit\":{},\
                 \"ratio\":{},\"spread\":{},\"target\":{},\"target_is\":{},\"pass\":{},\"remark\":{}}}",
                quoted(row.id),
                quoted(&row.work),
                quoted(&row.against),
                number(row.ours),
                number(row.theirs),
                quoted(row.unit),
                number(row.ratio),
                number(row.spread),
                number(limit),
                quoted(kind),
                pass,
                row.remark.as_deref().map_or_else(|| "null".to_owned(), quoted),
            )
        })
        .collect();
    let (passed, with_target) = score(rows);
    format!(
        "{{\"machine\":{{{}}},\"passed\":{passed},\"with_target\":{with_target},\"rows\":[{}]}}",
        about.join(","),
        rows_text.join(","),
    )
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            c if c.is_control() => {
                let _ = write!(quoted, "\\u{:04x}", c as u32);
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_without_figures_count_but_do_not_pass() {
        let row = Row::unmeasured("2", "derive", "Go", Some(Target::AtMost(0.35)), "no \"go\"");
        let rows = [row];
        assert_eq!(summary(&rows), "bench: 0 of 1 rows pass");
        assert!(text(&rows).contains("not measured: no \"go\""));
        assert!(json(&rows, &[]).contains(r#""ratio":null"#));
        assert!(json(&rows, &[]).contains(r#""remark":"no \"go\"""#));
    }

    #[test]
    fn amounts_have_readable_units() {
        assert_eq!(amount(3.456, "ns"), "3.46 ns");
        assert_eq!(amount(34.56, "ns"), "34.6 ns");
        assert_eq!(amount(61_000.0, "ns"), "61.00 µs");
        assert_eq!(amount(96.0, "B"), "96 B");
    }
}
