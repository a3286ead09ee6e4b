//! What no single crate can test.
//!
//! The blocks of Rust in `docs` are the documentation tests of this package, so what they show
//! compiles and does what it says.

pub mod inputs;

/// The guide to services.
#[cfg(doctest)]
#[doc = include_str!("../../docs/services.md")]
mod services {}

/// Drivers, and the adapter for Redis.
#[cfg(doctest)]
#[doc = include_str!("../../docs/appendix/drivers.md")]
mod drivers {}

/// The faults of cancel safety and their repairs.
#[cfg(doctest)]
#[doc = include_str!("../../docs/appendix/cancel-faults.md")]
mod cancel_faults {}

/// One hidden module per page, so that a failing block names its page.
macro_rules! pages {
    ($($page:ident = $file:literal,)*) => {
        $(
            #[cfg(doctest)]
            #[doc = include_str!(concat!("../../docs/guide/", $file))]
            mod $page {}
        )*

        /// The pages whose blocks are run.
        pub const PAGES: &[&str] = &[$($file),*];
    };
}

pages! {
    what_it_is_for = "01-what-it-is-for.md",
    ten_minutes = "02-ten-minutes.md",
    from_tokens_and_join_sets = "03-from-tokens-and-join-sets.md",
    from_go = "04-from-go.md",
    from_kotlin_and_trio = "05-from-kotlin-and-trio.md",
    deadlines_and_budgets = "06-deadlines-and-budgets.md",
    values = "07-values.md",
    work_that_outlives_its_request = "08-work-that-outlives-its-request.md",
    shutdown = "09-shutdown.md",
    blocking_code_and_databases = "10-blocking-code-and-databases.md",
    channels_and_messages = "11-channels-and-messages.md",
    streams = "12-streams.md",
    testing = "13-testing.md",
    what_it_is_not = "14-what-it-is-not.md",
    it_hangs = "15-it-hangs.md",
    is_it_cancel_safe = "16-is-it-cancel-safe.md",
    what_rustc_says = "17-what-rustc-says.md",
    which_way_to_spawn = "18-which-way-to-spawn.md",
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::PAGES;

    fn workspace() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
    }

    fn read(path: &str) -> String {
        fs::read_to_string(workspace().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    #[test]
    fn the_handler_in_the_readme_is_the_one_of_the_guide_s_first_service() {
        let readme = read("README.md");
        let after = readme.split("After:").nth(1).expect("there is an after");
        let block = after.split("```rust,ignore\n").nth(1).expect("a block");
        let handler = block.split("```").next().expect("it ends");
        let service = read("crates/examples/examples/ten_minutes.rs");
        assert!(service.contains(handler), "{handler}");
    }

    #[test]
    fn every_page_of_the_guide_is_run() {
        for entry in fs::read_dir(workspace().join("docs/guide")).expect("the guide is there") {
            let name = entry
                .expect("readable")
                .file_name()
                .into_string()
                .expect("a plain name");
            if name != "README.md" {
                assert!(
                    PAGES.contains(&name.as_str()),
                    "nobody runs the blocks of {name}"
                );
            }
        }
    }

    /// The cells of a table's rows, heading and rule left out.
    fn rows(page: &str) -> Vec<Vec<String>> {
        page.lines()
            .filter(|line| line.starts_with("| "))
            .skip(1)
            .map(|line| {
                let inner = line.trim_matches('|');
                inner
                    .split(" | ")
                    .map(|cell| cell.trim().to_owned())
                    .collect()
            })
            .collect()
    }

    #[test]
    fn every_advice_is_held_by_tests_that_exist() {
        let rows = rows(&read("docs/appendix/guidance.md"));
        assert!(rows.len() > 25, "{} rows", rows.len());
        for row in rows {
            assert!(
                row.len() == 4 && row.iter().all(|cell| !cell.is_empty()),
                "{row:?}"
            );
            for test in row[3].split(", ") {
                check_reference(test);
            }
        }
    }

    fn check_reference(test: &str) {
        let mut named = test.split('`').skip(1).step_by(2);
        let first = named
            .next()
            .unwrap_or_else(|| panic!("{test} names no test"));
        if test.starts_with("lint: ") {
            let program = named
                .next()
                .unwrap_or_else(|| panic!("{test} names no program"));
            let program = read(&format!(
                "crates/cargo-ctx-lint/tests/corpus/wrong/{program}"
            ));
            assert!(
                program.contains(&format!("//~ {first}")),
                "{test} does not expect {first}"
            );
            return;
        }
        match first.split_once("::") {
            Some((file, function)) => {
                assert!(
                    read(file).contains(&format!("fn {function}(")),
                    "{first} is not there"
                );
            }
            None => assert!(!read(first).is_empty(), "{first} is empty"),
        }
    }
}
