//! Reads, parses and checks files in parallel.
//!
//! A `syn` tree cannot leave its thread, and names are known only when every file has been
//! read. So each worker keeps the trees of the files it took, and all workers meet three
//! times: after parsing the files that name our crates, after parsing those that may use
//! what the first ones rename, and after checking.
//!
//! Invariants:
//!
//! 1. Every file is read once and parsed at most once.
//! 2. A file that names neither our crates, nor `Context`, nor another name for it, is never
//!    parsed.
//! 3. The order of findings does not depend on the number of threads.

use std::collections::{HashMap, HashSet};
use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use crate::allow;
use crate::finding::{Finding, Level};
use crate::resolve::{Facts, Tables, collect_file};
use crate::scan;
use crate::source::{Entry, Text};
use crate::walk::{self, Surroundings};
use crate::workspace::Workspace;

/// What a run found.
pub(crate) struct Outcome {
    /// The files with something to say, in order.
    pub(crate) files: Vec<FileReport>,
    /// What went wrong, by file.
    pub(crate) errors: Vec<Trouble>,
    /// How much was read.
    pub(crate) stats: Stats,
}

impl Outcome {
    /// How many findings of that level there are.
    pub(crate) fn count(&self, level: Level) -> usize {
        let findings = self.files.iter().flat_map(|file| &file.findings);
        findings.filter(|finding| finding.level == level).count()
    }
}

/// The findings of one file, in order.
pub(crate) struct FileReport {
    /// How reports name the file.
    pub(crate) shown: String,
    /// Where it is.
    pub(crate) path: std::path::PathBuf,
    /// Its text.
    pub(crate) text: Text,
    /// What was found.
    pub(crate) findings: Vec<Finding>,
}

/// A file that could not be read or parsed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Trouble {
    /// How reports name the file.
    pub(crate) shown: String,
    /// The line, where one is known; otherwise 0.
    pub(crate) line: usize,
    /// What went wrong.
    pub(crate) message: String,
}

/// How much was read.
#[derive(Clone, Copy, Debug, Default, serde::Serialize)]
pub(crate) struct Stats {
    /// Files read.
    pub(crate) files: usize,
    /// Their lines.
    pub(crate) lines: usize,
    /// Files parsed.
    pub(crate) parsed: usize,
}

/// Deeply nested code needs deep stacks.
const STACK: usize = 64 << 20;

/// What a worker tells after each round.
#[derive(Default)]
struct Told {
    facts: Vec<Facts>,
    messages: Vec<(String, Vec<String>)>,
    reports: Vec<FileReport>,
    errors: Vec<Trouble>,
    stats: Stats,
}

/// What the workers get before a round.
struct Round {
    tables: Tables,
    /// Words that make a file worth parsing in the second round.
    words: Vec<String>,
    messages: HashMap<String, HashSet<String>>,
}

/// Checks every file of a workspace.
pub(crate) fn run(workspace: Workspace) -> Result<Outcome, String> {
    let Workspace {
        entries,
        packages,
        libraries,
        config,
    } = workspace;
    let num_workers = thread::available_parallelism()
        .map_or(1, NonZero::get)
        .min(entries.len());
    let our_names = our_names(&packages);
    let mut tables = Tables::new(packages, libraries);
    let next = AtomicUsize::new(0);
    let mut outcome = Outcome {
        files: Vec::new(),
        errors: Vec::new(),
        stats: Stats::default(),
    };

    thread::scope(|scope| {
        let (tell, told) = channel::<Told>();
        let mut orders = Vec::new();
        for _ in 0..num_workers {
            let (order, rounds) = channel::<Arc<Round>>();
            orders.push(order);
            let work = Work {
                entries: &entries,
                next: &next,
                our_names: &our_names,
                config: &config,
            };
            let tell = tell.clone();
            let worker = move || work.run(&tell, &rounds);
            // A worker that panics drops its sender; the loops below then end, and the
            // scope passes the panic on.
            let builder = thread::Builder::new().stack_size(STACK);
            builder
                .spawn_scoped(scope, worker)
                .map_err(|e| format!("cannot start a thread: {e}"))?;
        }
        drop(tell);

        let mut first = Told::default();
        collect(&told, num_workers, &mut first);
        let mut messages: HashMap<String, HashSet<String>> = HashMap::new();
        for (package, names) in std::mem::take(&mut first.messages) {
            messages.entry(package).or_default().extend(names);
        }
        let facts = std::mem::take(&mut first.facts);
        let renames: Vec<_> = facts
            .iter()
            .flat_map(|facts| facts.renames.clone())
            .collect();
        let values: Vec<_> = facts
            .iter()
            .flat_map(|facts| facts.key_values.clone())
            .collect();
        facts.into_iter().for_each(|facts| tables.add(facts));
        let words = if first.stats.parsed > 0 {
            words(&tables, &renames, &values)
        } else {
            Vec::new()
        };
        let round = Arc::new(Round {
            tables: Tables::default(),
            words,
            messages: HashMap::new(),
        });
        broadcast(&orders, &round);

        let mut second = Told::default();
        collect(&told, num_workers, &mut second);
        for facts in second.facts.drain(..) {
            tables.add(facts);
        }
        tables.close_over_calls();
        for (package, names) in &mut messages {
            tables.close_over_fields(package, names);
        }
        let round = Arc::new(Round {
            tables,
            words: Vec::new(),
            messages,
        });
        broadcast(&orders, &round);

        let mut third = Told::default();
        collect(&told, num_workers, &mut third);
        for mut told in [first, second, third] {
            outcome.files.append(&mut told.reports);
            outcome.errors.append(&mut told.errors);
            outcome.stats.files += told.stats.files;
            outcome.stats.lines += told.stats.lines;
            outcome.stats.parsed += told.stats.parsed;
        }
        Ok::<(), String>(())
    })?;
    outcome.files.sort_by(|a, b| a.shown.cmp(&b.shown));
    outcome.errors.sort();
    Ok(outcome)
}

fn our_names(packages: &HashMap<String, crate::resolve::PackageNames>) -> Vec<String> {
    let ours = ["tokio_ctx", "spawn_scoped"];
    let renamed = packages.values().flat_map(|names| &names.renames);
    let renamed = renamed.filter(|(_, real)| ours.contains(&real.as_str()));
    ours.iter()
        .map(ToString::to_string)
        .chain(renamed.map(|(alias, _)| alias.clone()))
        .collect()
}

fn collect(told: &Receiver<Told>, num_workers: usize, into: &mut Told) {
    for told in told.iter().take(num_workers) {
        into.facts.extend(told.facts);
        into.messages.extend(told.messages);
        into.reports.extend(told.reports);
        into.errors.extend(told.errors);
        into.stats.files += told.stats.files;
        into.stats.lines += told.stats.lines;
        into.stats.parsed += told.stats.parsed;
    }
}

/// What makes a file worth parsing in the second round: our most common name, other names
/// for what is ours, and definitions of types that keys carry.
fn words(tables: &Tables, renames: &[Vec<String>], key_values: &[String]) -> Vec<String> {
    let ours = renames.iter().filter_map(|path| {
        let (name, module) = path.split_last()?;
        tables.is_ours(module, name).then(|| name.clone())
    });
    let values = key_values.iter().map(|name| format!("struct {name}"));
    let words: HashSet<String> = ours
        .chain(values)
        .chain(std::iter::once("Context".to_owned()))
        .collect();
    words.into_iter().collect()
}

fn broadcast(orders: &[Sender<Arc<Round>>], round: &Arc<Round>) {
    for order in orders {
        // A worker that is gone has panicked, which the scope reports.
        let _ = order.send(Arc::clone(round));
    }
}

#[derive(Clone, Copy)]
struct Work<'a> {
    entries: &'a [Entry],
    next: &'a AtomicUsize,
    our_names: &'a [String],
    config: &'a crate::config::Config,
}

struct Parsed<'a> {
    entry: &'a Entry,
    text: Text,
    file: syn::File,
}

impl<'a> Work<'a> {
    fn run(self, tell: &Sender<Told>, rounds: &Receiver<Arc<Round>>) {
        let mut parsed = Vec::new();
        let mut kept = Vec::new();
        let mut told = Told::default();
        // Relaxed: the counter only hands out indices, the entries are not written to.
        while let Some(entry) = self.entries.get(self.next.fetch_add(1, Ordering::Relaxed)) {
            self.read(entry, &mut parsed, &mut kept, &mut told);
        }
        let _ = tell.send(told);

        let Ok(round) = rounds.recv() else { return };
        let mut told = Told::default();
        for (entry, text) in kept {
            if scan::mentions_any(text.as_str(), &round.words) {
                parse(entry, text, &mut parsed, &mut told);
            }
        }
        let _ = tell.send(told);

        let Ok(round) = rounds.recv() else { return };
        let mut told = Told::default();
        for Parsed { entry, text, file } in parsed {
            let around = Surroundings {
                tables: &round.tables,
                config: self.config,
                messages: round.messages.get(&entry.package),
            };
            let findings = walk::check_file(&around, entry, &text, &file);
            let mut findings = allow::apply(&text, Some(&file), self.config, findings);
            findings.retain(|finding| !self.config.allows_in(finding.rule, &entry.shown));
            findings.sort_by_key(|finding| (finding.range.start, finding.range.end, finding.rule));
            findings.dedup();
            if !findings.is_empty() {
                told.reports.push(FileReport {
                    shown: entry.shown.clone(),
                    path: entry.path.clone(),
                    text,
                    findings,
                });
            }
        }
        let _ = tell.send(told);
    }

    fn read(
        &self,
        entry: &'a Entry,
        parsed: &mut Vec<Parsed<'a>>,
        kept: &mut Vec<(&'a Entry, Text)>,
        told: &mut Told,
    ) {
        let text = match std::fs::read_to_string(&entry.path) {
            Ok(text) => Text::new(text),
            Err(error) => {
                let message = format!("cannot read the file: {error}");
                return told.errors.push(Trouble {
                    shown: entry.shown.clone(),
                    line: 0,
                    message,
                });
            }
        };
        if scan::is_generated(text.as_str()) {
            return;
        }
        told.stats.files += 1;
        told.stats.lines += text.num_lines();
        let payloads = scan::payloads(text.as_str());
        if !payloads.is_empty() {
            told.messages.push((entry.package.clone(), payloads));
        }
        let test_modules = scan::test_modules(text.as_str());
        if scan::mentions_any(text.as_str(), self.our_names)
            || text.as_str().contains(allow::MARKER)
        {
            parse(entry, text, parsed, told);
        } else {
            // The file will not be parsed for this alone.
            for name in test_modules {
                let module = [&entry.module[..], &[name]].concat();
                told.facts.push(Facts {
                    test_modules: vec![module],
                    ..Facts::default()
                });
            }
            kept.push((entry, text));
        }
    }
}

fn parse<'a>(entry: &'a Entry, text: Text, parsed: &mut Vec<Parsed<'a>>, told: &mut Told) {
    told.stats.parsed += 1;
    match syn::parse_file(text.as_str()) {
        Ok(file) => {
            told.facts.push(collect_file(&entry.module, &file));
            parsed.push(Parsed { entry, text, file });
        }
        Err(error) => told.errors.push(Trouble {
            shown: entry.shown.clone(),
            line: error.span().start().line,
            message: format!("cannot parse the file: {error}"),
        }),
    }
}
