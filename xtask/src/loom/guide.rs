//! Does what `docs/loom.md` says, in a directory of its own, and expects what it promises.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use crate::workspace::Workspace;

const GUIDE: &str = "docs/loom.md";
/// The part that is followed ends here.
const END: &str = "\n## What works";

/// What our manifest says otherwise: it is in this workspace, and has its lints.
const ELSEWHERE: &[&str] = &["tokio-ctx = ", "[lints", "unexpected_cfgs = "];

/// What the reader is told to do.
#[derive(Debug, PartialEq)]
enum Task {
    /// A file of the guide, and the file of ours that it names.
    Write {
        file: String,
        ours: String,
        text: String,
    },
    Run {
        command: String,
    },
    /// The last command fails, and says this.
    Expect {
        text: String,
    },
}

pub(super) fn follow(workspace: &Workspace) -> Result<(), String> {
    let guide = fs::read_to_string(workspace.root().join(GUIDE))
        .map_err(|error| format!("{GUIDE}: {error}"))?;
    let tasks = tasks(&guide);
    let reader = Reader::start(workspace)?;
    // What the last command did; a later one does the same until a file changes.
    let mut last: Option<Output> = None;
    let mut fails = false;
    for (index, task) in tasks.iter().enumerate() {
        match task {
            Task::Write { file, ours, text } => {
                is_ours(workspace, ours, text)?;
                reader.write(file, text)?;
                fails = false;
            }
            Task::Run { command } if command.starts_with("cargo new ") => {}
            Task::Run { command } => {
                fails |= matches!(tasks.get(index + 1), Some(Task::Expect { .. }));
                let output = reader.run(command)?;
                if output.status.success() == fails {
                    let wanted = if fails { "fails" } else { "succeeds" };
                    let said = text_of(&output);
                    return Err(format!(
                        "{GUIDE} says that this {wanted}: {command}\n{said}"
                    ));
                }
                last = Some(output);
            }
            Task::Expect { text } => {
                let said = last.as_ref().map(text_of).unwrap_or_default();
                if let Some(line) = text.lines().find(|line| !said.contains(line.trim())) {
                    return Err(format!("{GUIDE} promises {line:?}, but it said\n{said}"));
                }
            }
        }
    }
    if !tasks.iter().any(|task| matches!(task, Task::Expect { .. })) {
        return Err(format!("{GUIDE} has nothing to follow"));
    }
    Ok(())
}

/// The reader's directory.
struct Reader {
    dir: PathBuf,
    target: PathBuf,
    /// Where the reader's `cargo` finds what is not published yet.
    patch: String,
}

impl Reader {
    fn start(workspace: &Workspace) -> Result<Reader, String> {
        let dir = workspace.target().join("guide");
        if dir.exists() {
            fs::remove_dir_all(&dir).map_err(|error| error.to_string())?;
        }
        fs::create_dir_all(&dir).map_err(|error| error.to_string())?;
        // The versions that everything else is checked with.
        fs::copy(workspace.root().join("Cargo.lock"), dir.join("Cargo.lock"))
            .map_err(|error| format!("Cargo.lock: {error}"))?;
        let door = workspace.root().join("crates/tokio-ctx");
        Ok(Reader {
            dir,
            target: workspace.target().join("loom"),
            patch: format!("\n[workspace]\n[patch.crates-io]\ntokio-ctx.path = {door:?}\n"),
        })
    }

    fn write(&self, file: &str, text: &str) -> Result<(), String> {
        let path = self.dir.join(file);
        let mut text = format!("{text}\n");
        if file == "Cargo.toml" {
            // What `cargo new` wrote stands before, and nobody else's workspace is meant.
            let package =
                "[package]\nname = \"loom-user\"\nversion = \"0.1.0\"\nedition = \"2024\"\n";
            text = format!("{package}\n{text}{}", self.patch);
        }
        path.parent()
            .map_or(Ok(()), fs::create_dir_all)
            .and_then(|()| fs::write(&path, text))
            .map_err(|error| format!("{}: {error}", path.display()))
    }

    fn run(&self, command: &str) -> Result<Output, String> {
        println!("    {command}");
        Command::new("sh")
            .args(["-c", command])
            .env("CARGO_TARGET_DIR", &self.target)
            .env_remove("CARGO_MANIFEST_DIR")
            .env_remove("RUSTFLAGS")
            .current_dir(&self.dir)
            .output()
            .map_err(|error| format!("sh did not start: {error}"))
    }
}

/// Blocks of `rust` and `toml` belong to the file that was linked last.
fn tasks(guide: &str) -> Vec<Task> {
    let followed = guide.split(END).next().unwrap_or_default();
    let mut tasks = Vec::new();
    let mut linked = None;
    // What a command says is shown in its own section.
    let mut has_run = false;
    let mut lines = followed.lines();
    while let Some(line) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let text = lines
                .by_ref()
                .take_while(|line| *line != "```")
                .collect::<Vec<_>>()
                .join("\n");
            match (language, linked.take()) {
                ("sh", _) => {
                    has_run = true;
                    tasks.extend(text.lines().map(|command| Task::Run {
                        command: command.to_owned(),
                    }));
                }
                ("text", _) if has_run => tasks.push(Task::Expect { text }),
                ("rust" | "toml", Some((file, ours))) => {
                    tasks.push(Task::Write { file, ours, text });
                }
                _ => {}
            }
        } else if line.starts_with('#') {
            has_run = false;
        } else if let Some(link) = link(line) {
            linked = Some(link);
        }
    }
    tasks
}

/// The file and our file of the last ``[`file`](../our/file)`` of a line.
fn link(line: &str) -> Option<(String, String)> {
    let (before, target) = line.rsplit_once("`](../")?;
    let (_, file) = before.rsplit_once("[`")?;
    let (ours, _) = target.split_once(')')?;
    Some((file.to_owned(), ours.to_owned()))
}

/// Whether the guide shows what our file holds. A test that is expected to fail is shown
/// without its expectation, and of manifests and of `lib.rs` only what the reader needs yet.
fn is_ours(workspace: &Workspace, ours: &str, text: &str) -> Result<(), String> {
    let file = fs::read_to_string(workspace.root().join(ours))
        .map_err(|error| format!("{ours}: {error}"))?;
    let is_part = ours.ends_with(".toml") || ours.ends_with("/lib.rs");
    let kept: Vec<&str> = file
        .lines()
        .filter(|line| !line.starts_with("//!") && !line.starts_with("#[should_panic"))
        .skip_while(|line| line.is_empty())
        .collect();
    let shown: Vec<&str> = text.lines().collect();
    let is_kept = |line: &str| {
        kept.contains(&line)
            || (ours.ends_with(".toml") && ELSEWHERE.iter().any(|key| line.starts_with(key)))
    };
    match shown.iter().find(|line| !is_kept(line)) {
        Some(line) => Err(format!("{GUIDE} shows {line:?}, which is not in {ours}")),
        None if !is_part && kept.len() != shown.len() => {
            Err(format!("{GUIDE} shows another {ours} than there is"))
        }
        None => Ok(()),
    }
}

fn text_of(output: &Output) -> String {
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    text
}

#[cfg(test)]
mod tests {
    use super::super::RUSTFLAGS;
    use super::*;

    #[test]
    fn the_guide_is_read_as_files_commands_and_promises() {
        let guide = "Look at [`a.rs`](../x/a.rs):\n\n```rust\nfn a() {}\n```\n\n```sh\nrun\n```\n\n\
                     ```text\nit fails\n```\n\n### Then\n\n\
                     ```text\nno promise\n```\n\n## What works in a model\n\n```sh\nnot this\n```\n";
        assert_eq!(
            tasks(guide),
            [
                Task::Write {
                    file: "a.rs".to_owned(),
                    ours: "x/a.rs".to_owned(),
                    text: "fn a() {}".to_owned()
                },
                Task::Run {
                    command: "run".to_owned()
                },
                Task::Expect {
                    text: "it fails".to_owned()
                }
            ]
        );
    }

    #[test]
    fn the_commands_of_the_guide_are_those_of_the_models() {
        let workspace = Workspace::find().expect("the tests run in the workspace");
        let guide = fs::read_to_string(workspace.root().join(GUIDE)).expect("the guide is there");
        let flags = format!("RUSTFLAGS=\"{RUSTFLAGS}\" cargo test --release --test loom");
        assert!(guide.contains(&flags));
    }
}
