//! `// ctx-lint: allow(rule) reason` comments.
//!
//! At the end of a line of code a comment covers that line; on a line of its own it covers
//! the item, statement or field that starts on the next line of code.

mod comments;
mod extents;

use std::ops::Range;

use comments::comments;
use extents::Extents;

use crate::config::Config;
use crate::finding::{Finding, Level};
use crate::registry;
use crate::rule::Rule;
use crate::rules::allow_comment;
use crate::source::Text;
use crate::spelling;

/// What every comment for this tool starts with, behind the slashes.
pub(crate) const MARKER: &str = "ctx-lint:";

#[derive(Debug)]
struct Allow {
    /// The bytes of the comment.
    range: Range<usize>,
    /// The rules it names.
    rules: Vec<&'static Rule>,
    /// The lines it covers, first and last.
    lines: (usize, usize),
    used: Vec<bool>,
}

/// Takes away the findings that comments allow, and adds findings about the comments.
pub(crate) fn apply(
    text: &Text,
    file: Option<&syn::File>,
    config: &Config,
    findings: Vec<Finding>,
) -> Vec<Finding> {
    if !text.as_str().contains(MARKER) {
        return findings;
    }
    let mut about = Vec::new();
    let mut allows = Vec::new();
    let extents = file.map(|file| Extents::of(text, file)).unwrap_or_default();
    for range in comments(text.as_str()) {
        let comment = text.slice(&range).trim_start_matches('/').trim_start();
        let Some(order) = comment.strip_prefix(MARKER) else {
            continue;
        };
        match read(order.trim()) {
            Ok(order) => {
                let lines = covered(text, &range, &extents);
                let mut rules = Vec::new();
                for name in order.rules {
                    match registry::find(name) {
                        Some(rule) => rules.push(rule),
                        None => about.push(unknown(config, range.clone(), name)),
                    }
                }
                let used = vec![false; rules.len()];
                if order.reason.is_empty() {
                    about.push(without_reason(config, range, text));
                } else {
                    allows.push(Allow {
                        range,
                        rules,
                        lines,
                        used,
                    });
                }
            }
            Err(why) => about.push(malformed(config, range, why)),
        }
    }
    let mut left = Vec::new();
    for finding in findings {
        let line = text.position(finding.range.start).line;
        let mut allowed = false;
        for allow in &mut allows {
            if line < allow.lines.0 || line > allow.lines.1 {
                continue;
            }
            for (rule, used) in allow.rules.iter().zip(&mut allow.used) {
                if rule.id == finding.rule {
                    *used = true;
                    allowed = true;
                }
            }
        }
        if !allowed {
            left.push(finding);
        }
    }
    for allow in &allows {
        for (rule, used) in allow.rules.iter().zip(&allow.used) {
            // A rule that is off finds nothing, so nothing can be said about its comments.
            if !used && config.level(rule.id) != Level::Allow {
                about.push(unused(config, allow.range.clone(), rule));
            }
        }
    }
    left.extend(
        about
            .into_iter()
            .filter(|finding| finding.level != Level::Allow),
    );
    left
}

struct Order<'t> {
    rules: Vec<&'t str>,
    reason: &'t str,
}

fn read(order: &str) -> Result<Order<'_>, &'static str> {
    let rest = order.strip_prefix("allow").ok_or("only `allow` is known")?;
    let rest = rest
        .trim_start()
        .strip_prefix('(')
        .ok_or("`allow` needs its rules in `(…)`")?;
    let (names, reason) = rest.split_once(')').ok_or("the `(` is not closed")?;
    let rules: Vec<&str> = names
        .split(',')
        .map(str::trim)
        .filter(|n| !n.is_empty())
        .collect();
    if rules.is_empty() {
        return Err("no rule is named");
    }
    // A dash or a colon before the reason is punctuation, not a reason.
    let reason = reason.trim_matches(|c: char| c.is_whitespace() || "-:–—".contains(c));
    Ok(Order { rules, reason })
}

fn about(
    rule: &'static Rule,
    config: &Config,
    range: Range<usize>,
    message: String,
    label: &str,
    help: String,
) -> Finding {
    let level = config.level(rule.id);
    Finding {
        rule: rule.id,
        level,
        range,
        message,
        label: label.to_owned(),
        help,
        fix: None,
    }
}

fn unknown(config: &Config, range: Range<usize>, name: &str) -> Finding {
    about(
        &allow_comment::UNKNOWN_RULE,
        config,
        range,
        format!("there is no rule `{name}`"),
        "allows nothing",
        match spelling::nearest(name, &registry::ids()) {
            Some(rule) => format!("did you mean `{rule}`?"),
            None => "`cargo ctx-lint --list` prints all rules".to_owned(),
        },
    )
}

fn without_reason(config: &Config, range: Range<usize>, text: &Text) -> Finding {
    let comment = text.slice(&range).trim_end().to_owned();
    about(
        &allow_comment::WITHOUT_REASON,
        config,
        range,
        "an exception without a reason".to_owned(),
        "allows nothing until it says why",
        format!("write the reason behind it: `{comment} because …`"),
    )
}

fn malformed(config: &Config, range: Range<usize>, why: &str) -> Finding {
    about(
        &allow_comment::MALFORMED,
        config,
        range,
        format!("this comment cannot be read: {why}"),
        "allows nothing",
        "write `// ctx-lint: allow(rule) reason`".to_owned(),
    )
}

fn unused(config: &Config, range: Range<usize>, rule: &Rule) -> Finding {
    about(
        &allow_comment::UNUSED,
        config,
        range,
        format!("nothing here is reported by `{}`", rule.id),
        "allows nothing",
        "take the comment away".to_owned(),
    )
}

/// The lines that a comment covers.
fn covered(text: &Text, comment: &Range<usize>, extents: &Extents) -> (usize, usize) {
    let place = text.position(comment.start);
    let before = text.line(place.line);
    let has_code = !before.trim_start().starts_with("//");
    if has_code {
        return (place.line, place.line);
    }
    let next = (place.line + 1..=text.num_lines()).find(|line| {
        let line = text.line(*line).trim_start();
        let doc = line.starts_with("///") || line.starts_with("//!");
        !line.is_empty() && (doc || !line.starts_with("//"))
    });
    let Some(next) = next else {
        return (place.line, place.line);
    };
    let starting = extents.lines.iter().filter(|(start, _)| *start == next);
    (next, starting.map(|(_, end)| *end).max().unwrap_or(next))
}
