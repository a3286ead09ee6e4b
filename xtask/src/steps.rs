//! Steps of a job: each is printed, timed, and listed at the end; the first failure ends the job.
//!
//! All of it goes to standard error: standard output belongs to the programs that are run.

use std::fmt;
use std::io::{BufRead as _, BufReader, IsTerminal, Read, Write};
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use crate::times::{self, Times};
use crate::workspace::Workspace;

/// What a verb returns; the error has been recorded in [`Steps`] already.
pub(crate) type Outcome = Result<(), Failed>;

/// A step did not succeed.
#[derive(Debug)]
pub(crate) struct Failed {
    /// The command that repeats the step alone.
    repeat: String,
}

/// A command line with the variables it needs.
pub(crate) struct Cmd {
    program: String,
    args: Vec<String>,
    env: Vec<(String, String)>,
    /// Where it runs, if not at the root of the workspace.
    directory: Option<PathBuf>,
    /// Given to cargo, left out of what is printed: see [`Cmd::limit`].
    hidden: Vec<String>,
}

impl Cmd {
    /// A command from words separated by spaces, the program first.
    pub(crate) fn new(line: &str) -> Cmd {
        let mut words = line.split_whitespace().map(str::to_owned);
        Cmd {
            program: words.next().unwrap_or_default(),
            args: words.collect(),
            env: Vec::new(),
            directory: None,
            hidden: Vec::new(),
        }
    }

    /// A cargo command from words separated by spaces.
    pub(crate) fn cargo(line: &str) -> Cmd {
        Cmd::new(&format!("cargo {line}"))
    }

    /// Runs it somewhere else than at the root of the workspace.
    pub(crate) fn within(mut self, directory: PathBuf) -> Cmd {
        self.directory = Some(directory);
        self
    }

    /// One more argument, which may have spaces.
    pub(crate) fn arg(mut self, arg: impl Into<PathBuf>) -> Cmd {
        self.args.push(arg.into().to_string_lossy().into_owned());
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl Into<String>) -> Cmd {
        self.env.retain(|(known, _)| known != name);
        self.env.push((name.to_owned(), value.into()));
        self
    }

    /// Lets no program that cargo runs (a test binary, the demo) live longer than `limit`.
    ///
    /// Cargo starts it through [`crate::limited`], so it is the program that is killed, not cargo
    /// alone, and building does not count.
    pub(crate) fn limit(mut self, limit: Duration) -> Cmd {
        self.hidden = crate::limited::cargo_config(limit);
        self
    }

    /// Runs it. Without a terminal, its standard error is shown only if it fails.
    fn status(&self, workspace: &Workspace, watched: bool) -> Result<(), String> {
        let mut command = self.command(workspace);
        if !watched {
            command.stderr(Stdio::piped());
        }
        let started = |error| format!("{} did not start: {error}", self.program);
        let mut child = command.spawn().map_err(started)?;
        let mut said = Vec::new();
        if let Some(mut stderr) = child.stderr.take() {
            stderr.read_to_end(&mut said).map_err(started)?;
        }
        let status = child.wait().map_err(started)?;
        if status.success() {
            return Ok(());
        }
        std::io::stderr().write_all(&said).map_err(started)?;
        Err(status.to_string())
    }

    /// Runs it, shows what it prints as it comes, and returns the last line of that.
    pub(crate) fn last_line(&self, workspace: &Workspace) -> Result<String, String> {
        let mut child = self
            .command(workspace)
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{} did not start: {error}", self.program))?;
        let mut last = String::new();
        if let Some(output) = child.stdout.take() {
            for line in BufReader::new(output).lines() {
                last = line.map_err(|error| error.to_string())?;
                println!("{last}");
            }
        }
        let status = child.wait().map_err(|error| error.to_string())?;
        if status.success() {
            Ok(last)
        } else {
            Err(status.to_string())
        }
    }

    fn command(&self, workspace: &Workspace) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(&self.hidden)
            .args(&self.args)
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .current_dir(self.directory.as_deref().unwrap_or(workspace.root()));
        command
    }
}

/// As a shell would take it.
impl fmt::Display for Cmd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(directory) = &self.directory {
            write!(f, "cd {} && ", quoted(&directory.to_string_lossy()))?;
        }
        for (name, value) in &self.env {
            write!(f, "{name}={} ", quoted(value))?;
        }
        f.write_str(&self.program)?;
        self.args
            .iter()
            .try_for_each(|arg| write!(f, " {}", quoted(arg)))
    }
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// The steps of one run of xtask, in order.
pub(crate) struct Steps {
    workspace_root: PathBuf,
    started: Instant,
    rows: Vec<Row>,
    last_line: Option<String>,
    /// Whether steps are only counted.
    planning: bool,
    /// How many steps there will be.
    planned: Vec<String>,
    /// Whether there is a terminal: otherwise each step is one line.
    watched: bool,
    times: Times,
}

struct Row {
    title: String,
    took: Duration,
    verdict: Verdict,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Passed,
    Failed,
    NotRun,
}

impl Steps {
    /// Counts the steps of a verb without running any.
    pub(crate) fn planning(workspace: &Workspace) -> Steps {
        Steps {
            workspace_root: workspace.root().to_path_buf(),
            started: Instant::now(),
            rows: Vec::new(),
            last_line: None,
            planning: true,
            planned: Vec::new(),
            watched: std::io::stderr().is_terminal(),
            times: Times::read(workspace.target().join("xtask").join("times.txt")),
        }
    }

    /// Runs the steps that were planned.
    pub(crate) fn new(workspace: &Workspace, plan: &Steps) -> Steps {
        Steps {
            planning: false,
            planned: plan.rows.iter().map(|row| row.title.clone()).collect(),
            ..Steps::planning(workspace)
        }
    }

    /// Says how much there is to do: by the last run where all of it is known, otherwise by `cost`.
    pub(crate) fn announce(&self, verb: &str, cost: Option<&str>) {
        let number = match self.planned.len() {
            1 => "1 step".to_owned(),
            number => format!("{number} steps"),
        };
        let known: Option<Duration> = self.planned.iter().map(|title| self.times.of(title)).sum();
        match (known, cost) {
            (Some(known), _) => {
                eprintln!("{verb}: {number}, {} by the last run", times::about(known));
            }
            (None, Some(cost)) => eprintln!("{verb}: {number}; from nothing, {cost}"),
            (None, None) => eprintln!("{verb}: {number}"),
        }
    }

    /// How long the steps of a plan took the last time, if all of them are known.
    pub(crate) fn last_time(&self) -> Option<Duration> {
        self.rows.iter().map(|row| self.times.of(&row.title)).sum()
    }

    /// What is printed last if all went well: a verb's own verdict.
    pub(crate) fn last_line(&mut self, line: String) {
        self.last_line = Some(line);
    }

    /// Runs a command and waits for it.
    pub(crate) fn run(&mut self, workspace: &Workspace, title: &str, cmd: &Cmd) -> Outcome {
        let shown = cmd.to_string();
        let watched = self.watched;
        self.check(title, &shown, || cmd.status(workspace, watched))
    }

    /// Runs a check of our own; `repeat` is the command that runs it again.
    pub(crate) fn check(
        &mut self,
        title: &str,
        repeat: &str,
        check: impl FnOnce() -> Result<(), String>,
    ) -> Outcome {
        if self.planning {
            self.row(title, Duration::ZERO, Verdict::Passed);
            return Ok(());
        }
        let place = self.place();
        let about = self
            .times
            .of(title)
            .map(|took| format!(", {}", times::about(took)));
        if self.watched {
            eprintln!(
                "\n{place}: {title}{}\n    {repeat}",
                about.unwrap_or_default()
            );
        }
        let started = Instant::now();
        let result = check();
        let took = started.elapsed();
        match result {
            Ok(()) => {
                eprintln!("{place}: {title}: ok, {}", seconds(took));
                self.times.keep(title, took);
                self.row(title, took, Verdict::Passed);
                Ok(())
            }
            Err(why) => {
                eprintln!("{place}: {title}: failed after {}: {why}", seconds(took));
                self.row(title, took, Verdict::Failed);
                Err(Failed {
                    repeat: repeat.to_owned(),
                })
            }
        }
    }

    /// Records that a step was left out, so that the table does not claim it.
    pub(crate) fn skip(&mut self, title: &str, why: &str) {
        if !self.planning {
            eprintln!("{}: {title}: not run here, as {why}", self.place());
        }
        // Nothing to wait for the next time.
        self.times.keep(title, Duration::ZERO);
        self.row(title, Duration::ZERO, Verdict::NotRun);
        if let Some(row) = self.rows.last_mut().filter(|_| !self.planning) {
            row.title = format!("{title}, as {why}");
        }
    }

    fn row(&mut self, title: &str, took: Duration, verdict: Verdict) {
        self.rows.push(Row {
            title: title.to_owned(),
            took,
            verdict,
        });
    }

    /// `step 3 of 14`.
    fn place(&self) -> String {
        let at = self.rows.len() + 1;
        format!("step {at} of {}", self.planned.len().max(at))
    }

    /// Prints the table of steps and the verdict.
    pub(crate) fn finish(self, verb: &str, outcome: &Outcome) -> ExitCode {
        eprintln!("\n{}", table(&self.rows));
        let total = seconds(self.started.elapsed());
        match outcome {
            Ok(()) => {
                let left_out = self
                    .rows
                    .iter()
                    .filter(|row| row.verdict == Verdict::NotRun);
                let left_out = match left_out.count() {
                    0 => String::new(),
                    number => format!(", {number} of {} steps not run here", self.rows.len()),
                };
                eprintln!("{verb}: passed in {total}{left_out}");
                if let Some(line) = &self.last_line {
                    eprintln!("{line}");
                }
                ExitCode::SUCCESS
            }
            Err(failed) => {
                eprintln!("{verb}: failed after {total}");
                eprintln!(
                    "repeat it in {}:\n    {}",
                    self.workspace_root.display(),
                    failed.repeat
                );
                ExitCode::FAILURE
            }
        }
    }
}

fn table(rows: &[Row]) -> String {
    let width = rows.iter().map(|row| row.title.len()).max().unwrap_or(0);
    rows.iter()
        .map(|row| {
            let verdict = match row.verdict {
                Verdict::Passed => "ok",
                Verdict::Failed => "FAILED",
                Verdict::NotRun => "not run",
            };
            format!(
                "  {:<width$}  {:>9}  {verdict}\n",
                row.title,
                seconds(row.took)
            )
        })
        .collect()
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here() -> (Workspace, Steps) {
        let workspace = Workspace::find().expect("the tests run in the workspace");
        let mut steps = Steps::new(&workspace, &Steps::planning(&workspace));
        // The times of these steps are not kept.
        let name = format!("xtask steps {}", std::process::id());
        steps.times = Times::read(std::env::temp_dir().join(name).join("times.txt"));
        (workspace, steps)
    }

    #[test]
    fn a_command_is_printed_as_a_shell_takes_it() {
        let cmd = Cmd::cargo("test --release")
            .env("RUSTFLAGS", "--cfg loom")
            .limit(Duration::ZERO);
        assert_eq!(
            cmd.to_string(),
            "RUSTFLAGS='--cfg loom' cargo test --release"
        );
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }

    #[test]
    fn a_failing_command_fails_its_step_and_says_how_to_repeat_it() {
        let (workspace, mut steps) = here();
        let failed = steps
            .run(
                &workspace,
                "a command that is not there",
                &Cmd::cargo("no-such-command --now"),
            )
            .expect_err("cargo knows no such command");
        assert_eq!(failed.repeat, "cargo no-such-command --now");
        assert_eq!(table(&steps.rows).matches("FAILED").count(), 1);
    }

    #[test]
    fn a_program_that_cannot_start_fails_its_step() {
        let (workspace, mut steps) = here();
        assert!(
            steps
                .run(&workspace, "absent program", &Cmd::new("no-such-program"))
                .is_err()
        );
    }

    #[test]
    fn a_passing_command_passes_its_step() {
        let (workspace, mut steps) = here();
        assert!(
            steps
                .run(&workspace, "version", &Cmd::cargo("--version"))
                .is_ok()
        );
        assert_eq!(table(&steps.rows).matches("FAILED").count(), 0);
        assert_eq!(table(&steps.rows).lines().count(), 1);
    }

    #[test]
    fn a_step_left_out_is_not_listed_as_passed() {
        let (_, mut steps) = here();
        steps.skip("spelling", "the tool is not installed");
        let table = table(&steps.rows);
        assert!(table.contains("not run") && !table.contains("ok"));
    }

    #[test]
    fn planning_runs_nothing_and_counts_every_step() {
        let (workspace, _) = here();
        let mut plan = Steps::planning(&workspace);
        plan.check("never", "x", || panic!("it ran"))
            .expect("planned");
        plan.run(&workspace, "absent", &Cmd::new("no-such-program"))
            .expect("planned");
        let (_, mut steps) = here();
        steps.planned = plan.rows.into_iter().map(|row| row.title).collect();
        assert_eq!(steps.place(), "step 1 of 2");
        steps.check("one", "x", || Ok(())).expect("it is right");
        assert_eq!(steps.place(), "step 2 of 2");
    }
}
