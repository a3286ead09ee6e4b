//! `docs/appendix/benchmarks.md`: prose by hand, figures by us, between marks.

use std::path::PathBuf;
use std::{fs, io};

/// The project's `docs` directory.
pub(crate) fn docs() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/appendix")
}

/// Replaces what stands between the marks of `part`; the prose around them stays.
pub(crate) fn write(part: &str, text: &str) -> io::Result<()> {
    let path = docs().join("benchmarks.md");
    let old = match fs::read_to_string(&path) {
        Ok(old) => old,
        Err(error) if error.kind() == io::ErrorKind::NotFound => "# Benchmarks\n".to_owned(),
        Err(error) => return Err(error),
    };
    fs::write(path, replaced(&old, part, text))
}

fn replaced(old: &str, part: &str, text: &str) -> String {
    let (begin, end) = (
        format!("<!-- {part}: begin -->"),
        format!("<!-- {part}: end -->"),
    );
    let new = format!("{begin}\n\n{}\n\n{end}", text.trim_end());
    let split = old
        .split_once(&begin)
        .and_then(|(before, rest)| Some((before, rest.split_once(&end)?.1)));
    match split {
        Some((before, after)) => format!("{before}{new}{after}"),
        None => format!("{}\n\n{new}\n", old.trim_end()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prose_around_a_part_stays() {
        let first = replaced("# Title\n", "table", "one");
        assert_eq!(
            first,
            "# Title\n\n<!-- table: begin -->\n\none\n\n<!-- table: end -->\n"
        );
        let text = format!("{first}\nMore.\n");
        let second = replaced(&text, "table", "two\n");
        assert!(second.contains("two") && !second.contains("one"));
        assert!(second.ends_with("\nMore.\n"));
    }
}
