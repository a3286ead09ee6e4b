//! The project's jobs, one verb each: `cargo xtask VERB`.
//!
//! The workflow calls these same verbs, so what passes here passes there.
//! A verb is offered only when there is something for it to run.

mod bench;
mod ci;
mod cuts;
mod demo;
mod docs;
mod limited;
mod loom;
mod msrv;
mod package;
mod packages;
mod soak;
mod steps;
mod test;
mod tidy;
mod view;
mod workspace;

use std::process::ExitCode;

use steps::Steps;
use workspace::Workspace;

/// One job: its name, what it does, and the function that runs it.
struct Verb {
    name: &'static str,
    about: &'static str,
    /// Whether there is something to run.
    offered: fn(&Workspace) -> bool,
    /// The options it takes; everything else is refused.
    options: &'static [&'static str],
    run: fn(&Workspace, &mut Steps, &[String]) -> steps::Outcome,
}

const VERBS: &[Verb] = &[
    Verb {
        name: "ci",
        about: "everything a submission must pass",
        offered: |_| true,
        options: &[],
        run: ci::run,
    },
    Verb {
        name: "tidy",
        about: "formatting, the project's own rules, clippy, ctx-lint",
        offered: |_| true,
        options: &[],
        run: tidy::run,
    },
    Verb {
        name: "test",
        about: "every test of every crate, doc tests included",
        offered: |_| true,
        options: &[],
        run: test::run,
    },
    Verb {
        name: "docs",
        about: "the API documentation and its examples",
        offered: |_| true,
        options: &[],
        run: docs::run,
    },
    Verb {
        name: "loom",
        about: "the models of the kernels, explored by loom",
        offered: loom::offered,
        options: loom::OPTIONS,
        run: loom::run,
    },
    Verb {
        name: "cuts",
        about: "programs cut at every point: planted faults found, healthy ones not accused",
        offered: cuts::offered,
        options: &[],
        run: cuts::run,
    },
    Verb {
        name: "demo",
        about: "the demo service, which checks itself",
        offered: demo::offered,
        options: &[],
        run: demo::run,
    },
    Verb {
        name: "package",
        about: "every published crate as the registry hands it out",
        offered: |_| true,
        options: package::OPTIONS,
        run: package::run,
    },
    Verb {
        name: "bench",
        about: "the benchmarks (not part of ci)",
        offered: bench::offered,
        options: bench::OPTIONS,
        run: bench::run,
    },
    Verb {
        name: "view",
        about: "the page of the live view in a browser (not part of ci: it needs Chromium and npm)",
        offered: view::offered,
        options: view::OPTIONS,
        run: view::run,
    },
    Verb {
        name: "soak",
        about: "random trees of scopes for a minute and a half (not part of ci)",
        offered: soak::offered,
        options: &[],
        run: soak::run,
    },
    Verb {
        name: "msrv",
        about: "the oldest supported toolchain (not part of ci: it must be installed first)",
        offered: |_| true,
        options: &[],
        run: msrv::run,
    },
];

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let name = args.next().unwrap_or_default();
    let rest: Vec<String> = args.collect();
    if name == limited::VERB {
        return limited::run(&rest);
    }
    let workspace = match Workspace::find() {
        Ok(workspace) => workspace,
        Err(why) => {
            eprintln!("xtask: {why}");
            return ExitCode::FAILURE;
        }
    };
    let verb = VERBS
        .iter()
        .find(|verb| verb.name == name && (verb.offered)(&workspace));
    let known = |verb: &&Verb| {
        rest.iter()
            .all(|option| verb.options.contains(&option.as_str()))
    };
    let Some(verb) = verb.filter(known) else {
        eprint!("{}", usage(&workspace));
        return ExitCode::from(2);
    };
    let mut steps = Steps::new(&workspace);
    let outcome = (verb.run)(&workspace, &mut steps, &rest);
    steps.finish(verb.name, &outcome)
}

fn usage(workspace: &Workspace) -> String {
    let mut text = String::from("usage: cargo xtask VERB\n\n");
    for verb in VERBS.iter().filter(|verb| (verb.offered)(workspace)) {
        text.push_str(&format!("  {:<8} {}", verb.name, verb.about));
        for option in verb.options {
            text.push_str(&format!(" [{option}]"));
        }
        text.push('\n');
    }
    text
}
