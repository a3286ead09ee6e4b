//! The table in `docs/appendix/go-parity.md`, held to the tests it names.

use std::fs;
use std::path::Path;

/// Behaviours of Go's `context` that the table has to answer.
const BEHAVIOURS: usize = 94;

/// The words between backticks that look like `file::test`.
fn tests_of(cell: &str) -> impl Iterator<Item = (&str, &str)> {
    let words = cell.split('`').skip(1).step_by(2);
    words
        .filter_map(|word| word.split_once("::"))
        .filter(|(_, test)| {
            test.chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        })
}

#[test]
fn every_row_names_tests_that_exist() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    // A packaged crate has no docs of the workspace around it.
    let Ok(table) = fs::read_to_string(here.join("../../docs/appendix/go-parity.md")) else {
        return;
    };
    let mut expected = 1;
    for line in table.lines() {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let Ok(number) = cells[0].parse::<usize>() else {
            continue;
        };
        assert_eq!(number, expected, "rows are in order and none is missing");
        expected += 1;
        let [_, behaviour, tests, differs] = cells[..] else {
            panic!("row {number} has {} cells", cells.len())
        };
        assert!(!behaviour.is_empty(), "row {number}");
        assert!(tests_of(tests).count() > 0, "row {number} names no test");
        for (file, test) in tests_of(tests).chain(tests_of(differs)) {
            let (path, is_there): (_, fn(&str, &str) -> bool) = match file {
                "ui" => (here.join(format!("tests/ui/{test}.rs")), |_, _| true),
                "alloc" => (here.join("tests/alloc.rs"), defines),
                _ => (here.join(format!("tests/it/{file}.rs")), defines),
            };
            let text = fs::read_to_string(&path).unwrap_or_default();
            assert!(
                !text.is_empty(),
                "row {number}: there is no {}",
                path.display()
            );
            assert!(
                is_there(&text, test),
                "row {number}: {file} has no test {test}"
            );
        }
    }
    assert_eq!(expected, BEHAVIOURS + 1);
}

fn defines(text: &str, test: &str) -> bool {
    text.contains(&format!("fn {test}()"))
}
