//! What no single crate can test.
//!
//! The blocks of Rust in `docs/guide` are the documentation tests of this package, so what
//! the guide shows compiles and does what it says.

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
}

#[cfg(test)]
mod tests {
    use super::PAGES;

    #[test]
    fn every_page_of_the_guide_is_run() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/guide");
        for entry in std::fs::read_dir(folder).expect("the guide is there") {
            let name = entry.expect("readable").file_name().into_string().expect("a plain name");
            if name != "README.md" {
                assert!(PAGES.contains(&name.as_str()), "nobody runs the blocks of {name}");
            }
        }
    }
}
