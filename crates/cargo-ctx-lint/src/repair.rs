//! Writing repairs into files.

use std::path::Path;

use crate::finding::Finding;

/// The text with every repair in it that touches no other, and how many findings that mends.
pub(crate) fn repaired(text: &str, findings: &[Finding]) -> (String, usize) {
    let mut taken: Vec<std::ops::Range<usize>> = Vec::new();
    let mut edits = Vec::new();
    let mut number = 0;
    for fix in findings.iter().filter_map(|finding| finding.fix.as_ref()) {
        let apart = fix.iter().all(|edit| {
            taken
                .iter()
                .all(|other| edit.range.end <= other.start || other.end <= edit.range.start)
        });
        if apart {
            taken.extend(fix.iter().map(|edit| edit.range.clone()));
            edits.extend(fix);
            number += 1;
        }
    }
    edits.sort_by_key(|edit| edit.range.start);
    let mut repaired = String::with_capacity(text.len());
    let mut at = 0;
    for edit in edits {
        repaired.push_str(&text[at..edit.range.start]);
        repaired.push_str(&edit.replacement);
        at = edit.range.end;
    }
    repaired.push_str(&text[at..]);
    (repaired, number)
}

/// Puts back what reading blanked: a byte-order mark and a line that names an interpreter.
pub(crate) fn write(path: &Path, repaired: &str) -> Result<(), String> {
    let said = |error| format!("cannot write {}: {error}", path.display());
    let before = std::fs::read_to_string(path).map_err(said)?;
    let blank = repaired.len() - repaired.trim_start_matches(' ').len();
    let same = blank > 0 && !before.starts_with(' ') && before.is_char_boundary(blank);
    let text = if same {
        format!("{}{}", &before[..blank], &repaired[blank..])
    } else {
        repaired.to_owned()
    };
    std::fs::write(path, text).map_err(said)
}

#[cfg(test)]
mod tests {
    use super::repaired;
    use crate::finding::{Edit, Finding, Level};

    fn finding(edits: &[(usize, usize, &str)]) -> Finding {
        let edit = |(start, end, new): &(usize, usize, &str)| Edit {
            range: *start..*end,
            replacement: (*new).to_owned(),
        };
        Finding {
            rule: "a-rule",
            level: Level::Deny,
            range: 0..0,
            message: String::new(),
            label: String::new(),
            help: String::new(),
            fix: Some(edits.iter().map(edit).collect()),
        }
    }

    #[test]
    fn repairs_are_written_and_those_that_touch_wait() {
        let findings = [
            finding(&[(8, 9, "C"), (0, 1, "A")]),
            finding(&[(0, 3, "X")]),
            finding(&[(4, 5, "")]),
        ];
        let (text, number) = repaired("abc def hij", &findings);
        assert_eq!((text.as_str(), number), ("Abc ef Cij", 2));
    }
}
