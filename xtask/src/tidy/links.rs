//! Links in Markdown that point into the project point at something.

use super::{Files, Finding};

pub(super) fn check(files: &Files) -> Vec<Finding> {
    let mut findings = Vec::new();
    // Prose inside a crate's `src` is part of its API documentation, and rustdoc checks its links.
    for (path, text) in files
        .ending(".md")
        .filter(|(path, _)| !path.contains("/src/"))
    {
        for (line, target) in links(text) {
            if let Err(what) = resolve(files, path, target) {
                findings.push(Finding::new(path, line, what));
            }
        }
    }
    findings
}

fn resolve(files: &Files, from: &str, target: &str) -> Result<(), String> {
    if ["https://", "http://", "mailto:"]
        .iter()
        .any(|scheme| target.starts_with(scheme))
    {
        return Ok(());
    }
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let path = if path.is_empty() {
        from.to_owned()
    } else {
        join(from, path).ok_or_else(|| format!("`{target}` leads out of the project"))?
    };
    if !files.holds(&path) {
        return Err(format!("`{target}` does not exist"));
    }
    let Some(text) = files
        .get(&path)
        .filter(|_| !anchor.is_empty() && path.ends_with(".md"))
    else {
        return Ok(());
    };
    if headings(text).any(|heading| slug(heading) == anchor) {
        Ok(())
    } else {
        Err(format!("`{path}` has no heading `#{anchor}`"))
    }
}

/// `to` as seen from the file `from`, both relative to the root; `None` if it leaves the root.
fn join(from: &str, to: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in to.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// The lines of a text with their numbers, without those in code fences.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            return None;
        }
        (!fenced).then_some((index + 1, line))
    })
}

fn headings(text: &str) -> impl Iterator<Item = &str> {
    prose(text)
        .map(|(_, line)| line)
        .filter(|line| line.starts_with('#'))
        .map(|line| line.trim_start_matches('#').trim())
}

/// The anchor that a renderer makes of a heading.
fn slug(heading: &str) -> String {
    heading
        .to_lowercase()
        .chars()
        .filter(|c| c.is_alphanumeric() || "-_ ".contains(*c))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

/// The targets of inline links and of link definitions, with their lines.
fn links(text: &str) -> Vec<(usize, &str)> {
    let mut links = Vec::new();
    for (number, line) in prose(text) {
        if let Some((label, target)) = line.split_once("]: ")
            && label.starts_with('[')
        {
            links.push((number, target.trim()));
        }
        // Every other part lies between backticks and is code.
        for part in line.split('`').step_by(2) {
            for (at, _) in part.match_indices("](") {
                let rest = &part[at + 2..];
                links.extend(rest.split_once(')').map(|(target, _)| (number, target)));
            }
        }
    }
    links
}

#[cfg(test)]
mod tests {
    use super::super::testing::{files, places};
    use super::*;

    fn found(text: &str) -> Vec<String> {
        let all = [
            ("docs/a.md", text),
            ("README.md", "# The `name` of it\n"),
            ("docs/b.md", ""),
        ];
        places(&check(&files(&all)))
    }

    #[test]
    fn a_link_to_nothing_is_found() {
        assert_eq!(found("[b](b.md)\n[c](c.md)\n"), ["docs/a.md:2"]);
        assert_eq!(found("[b]: b.md\n[c]: ./c.md\n"), ["docs/a.md:2"]);
        assert_eq!(
            found("[up](../README.md) and [out](../../README.md)\n"),
            ["docs/a.md:1"]
        );
        assert_eq!(
            found("[dir](../docs), `[code](c.md)`, [other](../doc)\n"),
            ["docs/a.md:1"]
        );
    }

    #[test]
    fn a_link_behind_inline_code_is_read_too() {
        assert_eq!(found("`code` [`b`](b.md) [`c`](c.md)\n"), ["docs/a.md:1"]);
    }

    #[test]
    fn an_anchor_without_its_heading_is_found() {
        assert_eq!(
            found("[r](../README.md#the-name-of-it)\n"),
            Vec::<String>::new()
        );
        assert_eq!(
            found("[r](../README.md#the-name)\n[own](#own)\n"),
            ["docs/a.md:1", "docs/a.md:2"]
        );
    }

    #[test]
    fn the_web_and_code_fences_are_left_alone() {
        let text = "[w](https://example.com/x.md)\n```\n[c](c.md)\n```\n";
        assert_eq!(found(text), Vec::<String>::new());
    }
}
