#![doc = include_str!("../README.md")]
//!
//! # How it works
//!
//! [`cli`] reads the command line, [`workspace`] finds files and
//! [`config`], [`engine`] reads and parses them in parallel, [`resolve`] says which names
//! are ours, [`walk`] shows each of the [`rules`] the nodes that it asks for, [`allow`] takes away
//! what comments except, and [`report`] prints the rest.

mod allow;
mod chain;
mod cli;
mod config;
mod cx;
mod engine;
mod env;
mod finding;
mod glob;
mod key;
mod macros;
mod registry;
mod repair;
mod report;
mod resolve;
mod rule;
mod rules;
mod scan;
mod source;
mod spelling;
mod walk;
mod workspace;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use cli::{Color, Command, Format, Options};
use finding::Level;

/// How often `--fix` begins anew at most.
const ROUNDS: usize = 8;

/// Nothing is denied.
const CLEAN: u8 = 0;
/// Something is.
const FINDINGS: u8 = 1;
/// The command line, the configuration or a file could not be read.
const TROUBLE: u8 = 2;

fn main() -> ExitCode {
    let done = cli::parse(std::env::args_os().skip(1)).and_then(run);
    ExitCode::from(done.unwrap_or_else(|why| {
        eprintln!("error: {why}");
        TROUBLE
    }))
}

fn run(command: Command) -> Result<u8, String> {
    match command {
        Command::Help => print(cli::HELP).map(|()| CLEAN),
        Command::Version => {
            print(concat!("cargo-ctx-lint ", env!("CARGO_PKG_VERSION"), "\n")).map(|()| CLEAN)
        }
        Command::List => {
            let lines: String = registry::ALL
                .iter()
                .map(|rule| format!("{:<28}{}\n", rule.id, rule.summary))
                .collect();
            print(&lines).map(|()| CLEAN)
        }
        Command::Explain(id) => match registry::find(&id) {
            Some(rule) => print(&format!(
                "{}: {}\n\n{}",
                rule.id, rule.summary, rule.explain
            ))
            .map(|()| CLEAN),
            None => {
                let hint = spelling::nearest(&id, &registry::ids())
                    .map(|rule| format!(", did you mean `{rule}`?"));
                Err(format!(
                    "there is no rule `{id}`{}",
                    hint.unwrap_or_default()
                ))
            }
        },
        Command::Check(options) => check(&options),
    }
}

fn check(options: &Options) -> Result<u8, String> {
    let config = options.config.as_deref();
    let rules = registry::ids();
    let read = || {
        let workspace = if options.paths.is_empty() {
            let manifest = options.manifest.as_deref();
            workspace::discover(manifest, &options.packages, config, &rules)?
        } else {
            workspace::loose(&options.paths, config, &rules)?
        };
        engine::run(workspace)
    };
    let mut outcome = read()?;
    let mut repaired = 0;
    // Repairs that touch each other wait for the next round; there are never many rounds.
    for _ in 0..if options.fix { ROUNDS } else { 0 } {
        let number = repair_files(&outcome)?;
        if number == 0 {
            break;
        }
        repaired += number;
        outcome = read()?;
    }
    if repaired > 0 {
        eprintln!("repaired {repaired}; the compiler shows the callers that have to follow");
    }
    match options.format {
        Format::Json => print(&report::json::render(&outcome))?,
        Format::Sarif => print(&report::sarif::render(&outcome))?,
        Format::Human => {
            let color = match options.color {
                Color::Always => true,
                Color::Never => false,
                Color::Auto => {
                    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none()
                }
            };
            print(&report::human::render(&outcome, color))?;
        }
    }
    Ok(if !outcome.errors.is_empty() {
        TROUBLE
    } else if outcome.count(Level::Deny) > 0 {
        FINDINGS
    } else {
        CLEAN
    })
}

/// Writes the repairs of a run, and returns how many findings they mend.
fn repair_files(outcome: &engine::Outcome) -> Result<usize, String> {
    let mut number = 0;
    for file in &outcome.files {
        let (text, mended) = repair::repaired(file.text.as_str(), &file.findings);
        if mended > 0 {
            repair::write(&file.path, &text)?;
            number += mended;
        }
    }
    Ok(number)
}

/// Prints, and takes a reader that went away (`| head`) for the end of the report.
fn print(text: &str) -> Result<(), String> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(format!("cannot print the report: {error}"))
        }
        _ => Ok(()),
    }
}
