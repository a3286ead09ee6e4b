//! What `--fix` writes, and what it leaves alone.

use crate::support::{files, lint};

/// Repairs one file and returns it.
fn repaired(before: &str) -> String {
    let dir = files(&[("a.rs", before)]);
    let run = lint(dir.path(), &["--fix", "a.rs"]);
    assert!(!run.stderr.contains("error"), "{}", run.stderr);
    let after = std::fs::read_to_string(dir.path().join("a.rs")).expect("readable");
    let again = lint(dir.path(), &["--fix", "a.rs"]);
    let twice = std::fs::read_to_string(dir.path().join("a.rs")).expect("readable");
    assert_eq!(
        after, twice,
        "a second run changes nothing\n{}",
        again.stdout
    );
    after
}

fn check(before: &str, after: &str) {
    let import = "use tokio_ctx::{CancelGuard, Context};\n";
    assert_eq!(
        repaired(&format!("{import}{before}")),
        format!("{import}{after}")
    );
}

#[test]
fn a_parameter_gets_its_name_here_and_in_the_body() {
    check(
        "fn f(cancel: &Context) { cancel.check()?; g(cancel, |x| x.run(&cancel)); log!(cancel); }\n",
        "fn f(ctx: &Context) { ctx.check()?; g(ctx, |x| x.run(&ctx)); log!(ctx); }\n",
    );
}

#[test]
fn a_name_that_is_taken_or_stands_in_a_text_is_left_alone() {
    for code in [
        "fn f(cancel: &Context, a: u8) { let ctx = a; cancel.check()?; }\n",
        "fn f(cancel: &Context) { info!(\"{cancel}\"); }\n",
        "fn f(cancel: &Context) { let cancel = cancel.clone(); g(&cancel); }\n",
    ] {
        check(code, code);
    }
}

#[test]
fn a_parameter_moves_to_the_front_with_its_arguments() {
    check(
        "fn f(url: &str, id: u64, ctx: &Context) {}\nfn g(ctx: &Context) { f(\"a\", 7, ctx); }\n",
        "fn f(ctx: &Context, url: &str, id: u64) {}\nfn g(ctx: &Context) { f(ctx, \"a\", 7); }\n",
    );
}

#[test]
fn a_parameter_stays_where_somebody_else_may_call_the_function() {
    for code in [
        "pub fn f(url: &str, ctx: &Context) {}\n",
        "fn f(url: &str, ctx: &Context) {}\nfn g() { call(f); }\n",
        "fn f(url: &str, ctx: &Context) {}\nmod child;\n",
        "impl A { fn f(&self, url: &str, ctx: &Context) {} }\n",
    ] {
        check(code, code);
    }
}

#[test]
fn an_optional_context_is_asked_for() {
    check(
        "pub fn f(ctx: Option<&Context>) {}\n",
        "pub fn f(ctx: &Context) {}\n",
    );
    check(
        "pub fn f(ctx: &CancelGuard) {}\n",
        "pub fn f(ctx: &Context) {}\n",
    );
    let cancels = "pub fn f(ctx: &CancelGuard) { ctx.cancel(); }\n";
    check(cancels, cancels);
}

#[test]
fn a_guard_that_dies_on_the_spot_is_kept() {
    check(
        "fn f(ctx: &Context) { ctx.with_cancel(); let _ = ctx.on_cancel(|_| ()); }\n",
        "fn f(ctx: &Context) { let _guard = ctx.with_cancel(); let _on_cancel = ctx.on_cancel(|_| ()); }\n",
    );
}

#[test]
fn what_reading_blanks_is_still_there_after_a_repair() {
    let code = "\u{feff}#!/usr/bin/env run\nuse tokio_ctx::Context;\nfn f(ctx: &Context) { ctx.with_cancel(); }\n";
    assert_eq!(
        repaired(code),
        code.replace("ctx.with_cancel()", "let _guard = ctx.with_cancel()")
    );
}

#[test]
fn without_the_option_nothing_is_written() {
    let code = "use tokio_ctx::Context;\nfn f(ctx: &Context) { ctx.with_cancel(); }\n";
    let dir = files(&[("a.rs", code)]);
    assert_eq!(lint(dir.path(), &["a.rs"]).status, 1);
    let after = std::fs::read_to_string(dir.path().join("a.rs")).expect("readable");
    assert_eq!(after, code);
}
