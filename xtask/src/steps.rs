//! Steps of a job: each is printed, timed, and listed at the end; the first failure ends the job.
//!
//! All of it goes to standard error: standard output belongs to the programs that are run.

use std::fmt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

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

    fn status(&self, workspace: &Workspace) -> Result<(), String> {
        let status = Command::new(&self.program)
            .args(&self.hidden)
            .args(&self.args)
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .current_dir(self.directory.as_deref().unwrap_or(workspace.root()))
            .status()
            .map_err(|error| format!("{} did not start: {error}", self.program))?;
        if status.success() {
            Ok(())
        } else {
            Err(status.to_string())
        }
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
    pub(crate) fn new(workspace: &Workspace) -> Steps {
        Steps {
            workspace_root: workspace.root().to_path_buf(),
            started: Instant::now(),
            rows: Vec::new(),
            last_line: None,
        }
    }

    /// What is printed last if all went well: a verb's own verdict.
    pub(crate) fn last_line(&mut self, line: String) {
        self.last_line = Some(line);
    }

    /// Runs a command and waits for it.
    pub(crate) fn run(&mut self, workspace: &Workspace, title: &str, cmd: &Cmd) -> Outcome {
        let shown = cmd.to_string();
        self.check(title, &shown, || cmd.status(workspace))
    }

    /// Runs a check of our own; `repeat` is the command that runs it again.
    pub(crate) fn check(
        &mut self,
        title: &str,
        repeat: &str,
        check: impl FnOnce() -> Result<(), String>,
    ) -> Outcome {
        eprintln!("\n==> {title}\n    {repeat}");
        let started = Instant::now();
        let result = check();
        let took = started.elapsed();
        let verdict = if result.is_ok() {
            Verdict::Passed
        } else {
            Verdict::Failed
        };
        self.rows.push(Row {
            title: title.to_owned(),
            took,
            verdict,
        });
        match result {
            Ok(()) => {
                eprintln!("    {title}: ok, {}", seconds(took));
                Ok(())
            }
            Err(why) => {
                eprintln!("    {title}: failed after {}: {why}", seconds(took));
                Err(Failed {
                    repeat: repeat.to_owned(),
                })
            }
        }
    }

    /// Records that a step was left out, so that the table does not claim it.
    pub(crate) fn skip(&mut self, title: &str, why: &str) {
        eprintln!("\n==> {title}\n    not run: {why}");
        let title = format!("{title}, as {why}");
        self.rows.push(Row {
            title,
            took: Duration::ZERO,
            verdict: Verdict::NotRun,
        });
    }

    /// Prints the table of steps and the verdict.
    pub(crate) fn finish(self, verb: &str, outcome: &Outcome) -> ExitCode {
        eprintln!("\n{}", table(&self.rows));
        let total = seconds(self.started.elapsed());
        match outcome {
            Ok(()) => {
                eprintln!("{verb}: passed in {total}");
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
        let steps = Steps::new(&workspace);
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
}
