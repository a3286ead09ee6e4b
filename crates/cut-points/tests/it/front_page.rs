//! The example of the README is this program, and the report there is what it prints.

use std::thread;

#[rustfmt::skip]
#[path = "shop.rs"]
mod shop;

const README: &str = include_str!("../../README.md");

/// The first block of code of a language.
fn block(language: &str) -> &'static str {
    let (_, code) = README
        .split_once(&format!("```{language}\n"))
        .expect("it is there");
    let (code, _) = code.split_once("```").expect("it ends");
    code
}

/// What does not change from one run, or one version of tokio, to the next.
fn lasting(report: &str) -> Vec<String> {
    let lines = report
        .trim()
        .lines()
        .filter(|line| !line.contains("at tokio-"));
    // In the repository it is another one than in a package.
    let home = file!().strip_suffix("tests/it/front_page.rs");
    let home = home.expect("this is that file");
    let placed = |line: &str| {
        let line = line.replace(home, "").replace("tests/it/", "tests/");
        match line.split_once(" runs, ") {
            Some((runs, rest)) => [runs, rest.split_once(':').expect("the time").1].join(" runs:"),
            None => line,
        }
    };
    lines.map(placed).collect()
}

#[test]
fn the_example_of_the_front_page_is_a_test_that_fails() {
    let page = block("rust").replace("#[test]\nfn", "// #[test]\npub(crate) fn");
    assert_eq!(page, include_str!("shop.rs"));
    let test = thread::Builder::new().name("no_order_is_lost".to_owned());
    let test = test.spawn(shop::no_order_is_lost).expect("a thread");
    let failed = test.join().expect_err("an order is lost");
    let report = failed.downcast_ref::<String>().expect("a report");
    assert_eq!(lasting(report), lasting(block("text")));
}
