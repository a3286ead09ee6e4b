//! The project's jobs, one verb each: `cargo xtask VERB`.
//!
//! The workflow calls these same verbs, so what passes here passes there.
//! A verb is offered only when there is something for it to run.

mod bench;
mod ci;
mod clients;
mod command;
mod cuts;
mod db;
mod demo;
mod docs;
mod features;
mod fuzz;
mod limited;
mod loom;
mod minimal;
mod msrv;
mod package;
mod packages;
mod platforms;
mod release;
mod soak;
mod steps;
mod test;
mod tidy;
mod times;
mod view;
mod workspace;

use std::process::ExitCode;

use command::Request;
use steps::Steps;
use workspace::Workspace;

/// One job: its name, what it does, and the function that runs it.
struct Verb {
    name: &'static str,
    about: &'static str,
    /// Whether there is something to run.
    offered: fn(&Workspace) -> bool,
    /// The options it takes; everything else is refused.
    options: &'static [command::Flag],
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
        options: cuts::OPTIONS,
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
        name: "db",
        about: "queries cut at random moments on real servers (not part of ci: they must be installed)",
        offered: db::offered,
        options: db::OPTIONS,
        run: db::run,
    },
    Verb {
        name: "bench",
        about: "the benchmarks (not part of ci)",
        offered: bench::offered,
        options: bench::OPTIONS,
        run: bench::run,
    },
    Verb {
        name: "clients",
        about: "third-party clients, and each way in which they go wrong (not part of ci)",
        offered: clients::offered,
        options: clients::OPTIONS,
        run: clients::run,
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
        about: "random trees of scopes and hostile types, in runtimes of every kind, for two minutes (not part of ci)",
        offered: soak::offered,
        options: &[],
        run: soak::run,
    },
    Verb {
        name: "features",
        about: "every published crate with each of its features alone (not part of ci)",
        offered: |_| true,
        options: &[],
        run: features::run,
    },
    Verb {
        name: "minimal",
        about: "the oldest versions of dependencies that the manifests allow (not part of ci)",
        offered: |_| true,
        options: &[],
        run: minimal::run,
    },
    Verb {
        name: "fuzz",
        about: "bytes of a fuzzer's choice, a minute a target (not part of ci)",
        offered: |_| true,
        options: &[],
        run: fuzz::run,
    },
    Verb {
        name: "platforms",
        about: "the published crates for Windows and macOS, by a compiler's word (not part of ci)",
        offered: |_| true,
        options: &[],
        run: platforms::run,
    },
    Verb {
        name: "release",
        about: "changelogs and promises since the last release; with --publish, the registry",
        offered: |_| true,
        options: release::OPTIONS,
        run: release::run,
    },
    Verb {
        name: "msrv",
        about: "the oldest toolchains, where they are installed (not part of ci)",
        offered: |_| true,
        options: &[],
        run: msrv::run,
    },
];

/// How long a verb takes and how much it leaves in `target`, from nothing on two cores that do
/// other work as well. Only what was measured is here; afterwards each step knows its last time.
const COSTS: &[(&str, &str)] = &[
    (
        "bench",
        "the build and then about 4 minutes, 860 MB; more where other programs disturb it",
    ),
    ("cuts", "about 2 minutes, 400 MB"),
    ("minimal", "about 5 minutes, 400 MB"),
    ("msrv", "about 4 minutes, 140 MB"),
    ("platforms", "about 5 minutes, 200 MB"),
];

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1).peekable();
    if args.next_if(|first| first == limited::VERB).is_some() {
        let rest: Vec<String> = args.map(|arg| arg.to_string_lossy().into_owned()).collect();
        return limited::run(&rest);
    }
    let workspace = match Workspace::find() {
        Ok(workspace) => workspace,
        Err(why) => {
            eprintln!("xtask: {why}");
            return ExitCode::FAILURE;
        }
    };
    let offered: Vec<&Verb> = VERBS
        .iter()
        .filter(|verb| (verb.offered)(&workspace))
        .collect();
    let verb_of = |name: &str| offered.iter().copied().find(|verb| verb.name == name);
    let cost_of = |name: &str| {
        COSTS
            .iter()
            .find(|(verb, _)| *verb == name)
            .map(|(_, cost)| *cost)
    };
    match command::parse(args, &offered) {
        Ok(Request::Help(None)) => {
            print!("{}", command::help(&offered));
            ExitCode::SUCCESS
        }
        Ok(Request::Help(Some(name))) => {
            if let Some(verb) = verb_of(&name) {
                let mut plan = Steps::planning(&workspace);
                // A plan that fails has no time; running the verb says why.
                let last = (verb.run)(&workspace, &mut plan, &[]).ok();
                let last = last.and_then(|()| plan.last_time());
                print!("{}", command::help_for(verb, cost_of(&name), last));
            }
            ExitCode::SUCCESS
        }
        Ok(Request::Run(name, options)) => match verb_of(&name) {
            Some(verb) => run(&workspace, verb, cost_of(&name), &options),
            None => ExitCode::FAILURE,
        },
        Err(why) => {
            eprintln!("xtask: {why}");
            ExitCode::from(2)
        }
    }
}

fn run(workspace: &Workspace, verb: &Verb, cost: Option<&str>, options: &[String]) -> ExitCode {
    // Once without doing anything, to know how many steps there are.
    let mut plan = Steps::planning(workspace);
    if let Err(failed) = (verb.run)(workspace, &mut plan, options) {
        return plan.finish(verb.name, &Err(failed));
    }
    let mut steps = Steps::new(workspace, &plan);
    steps.announce(verb.name, cost);
    let outcome = (verb.run)(workspace, &mut steps, options);
    steps.finish(verb.name, &outcome)
}
