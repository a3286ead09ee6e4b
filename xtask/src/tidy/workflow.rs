//! The workflow does nothing that cannot be done at a desk: each job is one verb.
//!
//! What any workflow should hold (pinned actions, few permissions) is asked by zizmor and actionlint.

use super::{Files, Finding};

const PATH: &str = ".github/workflows/ci.yml";

/// What a job may run besides its verb: making the machine ready.
const SETUP: &[&str] = &[
    "rustup ",
    "cargo install --locked ",
    "go install ",
    "sudo apt-get ",
];

pub(super) fn check(files: &Files, verbs: &[&str]) -> Vec<Finding> {
    let Some(text) = files.get(PATH) else {
        return vec![Finding::new(PATH, 0, "there is no workflow")];
    };
    let mut findings = Vec::new();
    let jobs = jobs(text);
    for job in &jobs {
        let verb = format!("cargo xtask {}", job.name);
        let mut calls_its_verb = false;
        for (line, command) in &job.commands {
            if *command == verb {
                calls_its_verb = true;
            } else if !SETUP.iter().any(|setup| command.starts_with(setup)) {
                let what = format!("job `{}` runs something else than `{verb}`", job.name);
                findings.push(Finding::new(PATH, *line, what));
            }
        }
        if !calls_its_verb || !verbs.contains(&job.name) {
            let what = format!("job `{}` is not a verb of xtask", job.name);
            findings.push(Finding::new(PATH, job.line, what));
        }
    }
    for verb in verbs
        .iter()
        .filter(|verb| jobs.iter().all(|job| job.name != **verb))
        .filter(|verb| !is_called_elsewhere(files, verb))
    {
        findings.push(Finding::new(PATH, 0, format!("verb `{verb}` has no job")));
    }
    findings
}

/// Whether another workflow calls a verb.
fn is_called_elsewhere(files: &Files, verb: &str) -> bool {
    let call = format!("cargo xtask {verb}");
    files
        .iter()
        .filter(|(path, _)| path.starts_with(".github/workflows/") && *path != PATH)
        .flat_map(|(_, text)| text.lines())
        .filter_map(|line| line.split_once(&call))
        .any(|(_, rest)| rest.is_empty() || rest.starts_with(' '))
}

struct Job<'a> {
    name: &'a str,
    line: usize,
    commands: Vec<(usize, &'a str)>,
}

/// The jobs and their shell lines: as much YAML as this project's workflow uses.
fn jobs(text: &str) -> Vec<Job<'_>> {
    let mut jobs: Vec<Job<'_>> = Vec::new();
    let mut in_jobs = false;
    // The indentation of the `run: |` whose lines are being read.
    let mut block: Option<usize> = None;
    for (index, line) in text.lines().enumerate() {
        let trimmed = line.trim();
        let indent = line.len() - line.trim_start().len();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        if indent == 0 {
            in_jobs = trimmed == "jobs:";
            continue;
        }
        if !in_jobs {
            continue;
        }
        if indent == 2 {
            let name = trimmed.trim_end_matches(':');
            jobs.push(Job {
                name,
                line: index + 1,
                commands: Vec::new(),
            });
            block = None;
            continue;
        }
        let Some(job) = jobs.last_mut() else { continue };
        if block.is_some_and(|outer| indent > outer) {
            job.commands.push((index + 1, trimmed));
            continue;
        }
        block = None;
        let Some(command) = trimmed.trim_start_matches("- ").strip_prefix("run:") else {
            continue;
        };
        match command.trim() {
            "|" => block = Some(indent),
            command => job.commands.push((index + 1, command)),
        }
    }
    jobs
}

#[cfg(test)]
mod tests {
    use super::super::testing::{files, places};
    use super::*;

    const GOOD: &str = "\
permissions:
  contents: read
jobs:
  test:
    steps:
      - uses: actions/checkout@11bd71901bbe5b1630ceea73d27597364c9af683 # v4.2.2
      - run: |
          rustup toolchain install stable
          cargo xtask test
  loom:
    steps:
      - run: cargo xtask loom
";

    fn found(text: &str, verbs: &[&str]) -> Vec<String> {
        places(&check(&files(&[(PATH, text)]), verbs))
    }

    #[test]
    fn a_workflow_of_verbs_passes() {
        assert_eq!(check(&files(&[(PATH, GOOD)]), &["test", "loom"]), []);
    }

    #[test]
    fn a_verb_without_a_job_is_found() {
        assert_eq!(
            found(GOOD, &["test", "loom", "demo"]),
            [format!("{PATH}:0")]
        );
    }

    #[test]
    fn a_job_without_a_verb_is_found() {
        assert_eq!(found(GOOD, &["test"]), [format!("{PATH}:10")]);
        let idle = GOOD.replace("cargo xtask loom", "rustup show");
        assert_eq!(found(&idle, &["test", "loom"]), [format!("{PATH}:10")]);
    }

    #[test]
    fn a_command_that_is_not_the_verb_is_found() {
        let own = GOOD.replace(
            "cargo xtask test",
            "cargo test --workspace\n          cargo xtask test",
        );
        assert_eq!(found(&own, &["test", "loom"]), [format!("{PATH}:9")]);
    }

    #[test]
    fn a_verb_may_have_its_job_in_another_workflow() {
        let other = ".github/workflows/release.yml";
        let release = "jobs:\n  publish:\n    steps:\n      - run: cargo xtask release --publish\n";
        let both = files(&[(PATH, GOOD), (other, release)]);
        assert_eq!(check(&both, &["test", "loom", "release"]), []);
        assert_eq!(
            places(&check(&both, &["test", "loom", "rele"])),
            [format!("{PATH}:0")]
        );
    }

    #[test]
    fn a_missing_workflow_is_found() {
        assert_eq!(check(&files(&[]), &[]).len(), 1);
    }
}
