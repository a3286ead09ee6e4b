//! Patterns of paths: `*` within a segment, `**` across segments.

/// Whether `path` matches `pattern`; both use `/`.
pub(crate) fn matches(pattern: &str, path: &str) -> bool {
    let pattern: Vec<&str> = pattern.split('/').collect();
    let path: Vec<&str> = path.split('/').collect();
    segments(&pattern, &path)
}

fn segments(pattern: &[&str], path: &[&str]) -> bool {
    match (pattern.split_first(), path.split_first()) {
        (None, None) => true,
        (Some((&"**", rest)), _) => (0..=path.len()).any(|skip| segments(rest, &path[skip..])),
        (Some((first, rest)), Some((name, path))) => segment(first, name) && segments(rest, path),
        _ => false,
    }
}

fn segment(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, rest)) => name.strip_prefix(start).is_some_and(|name| {
            let starts = name.char_indices().map(|(at, _)| at).chain([name.len()]);
            starts.into_iter().any(|at| segment(rest, &name[at..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn stars_stay_within_a_segment_and_double_stars_do_not() {
        let check = |pattern, path, expected| {
            assert_eq!(matches(pattern, path), expected, "{pattern} {path}");
        };
        check("crates/*/tests/**", "crates/a/tests/it/main.rs", true);
        check("crates/*/tests/**", "crates/a/b/tests/it.rs", false);
        check("**/gen_*.rs", "src/a/gen_code.rs", true);
        check("**/gen_*.rs", "gen_.rs", true);
        check("src/lib.rs", "src/lib.rs.bak", false);
        check("**", "anything/at/all", true);
    }
}
