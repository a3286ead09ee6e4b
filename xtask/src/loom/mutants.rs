//! Plants faults in a copy of the crates, and asks whether the models find them.
//!
//! The kernels have no switches for it: a fault is a change of the source, see [`super::patch`].
//! Each faulty build runs in a process of its own, since a deadlock that loom finds may abort it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use super::patch::{self, Mutant};
use super::{CRATES, RUSTFLAGS, table};
use crate::limited;
use crate::steps::{Outcome, Steps};
use crate::workspace::Workspace;

/// No fault takes longer to be found; the clean models take less together.
const LIMIT: Duration = Duration::from_secs(300);

/// The checker as in a release, and what changes with each fault quickly built.
const PROFILE: &str = r#"
[profile.mutants]
inherits = "release"
incremental = true
opt-level = 1
package."*".opt-level = 3
"#;

/// Where the copy is, and where it is built.
struct Copy {
    root: PathBuf,
    target: PathBuf,
}

pub(super) fn run(workspace: &Workspace, steps: &mut Steps) -> Outcome {
    let mut last = String::new();
    let repeat = "cargo xtask loom --mutants";
    steps.check("mutants", repeat, || {
        let (planted, survived) = plant_all(workspace)?;
        last = format!("mutants: {planted} planted, {survived} survived");
        if survived == 0 {
            Ok(())
        } else {
            Err(last.clone())
        }
    })?;
    steps.last_line(last);
    Ok(())
}

fn plant_all(workspace: &Workspace) -> Result<(usize, usize), String> {
    let copy = Copy::make(workspace)?;
    let (mut planted, mut survived) = (0, 0);
    let mut tables = String::new();
    for (package, _) in CRATES {
        let file = format!("xtask/mutants/{package}.txt");
        if !workspace.has(&file) {
            continue;
        }
        let text = fs::read_to_string(workspace.root().join(&file))
            .map_err(|error| format!("{file}: {error}"))?;
        let mutants = patch::parse(&text).map_err(|error| format!("{file}: {error}"))?;
        let models = Models::build(&copy, package)?;
        println!("    {package}: the models as they are");
        let output = models.run_all()?;
        if !output.status.success() {
            let output = text_of(&output);
            return Err(format!("{package}: they fail without a fault:\n{output}"));
        }
        let rows = table::rows(&text_of(&output));
        let faults_of = |model: &str| -> Vec<String> {
            mutants
                .iter()
                .filter(|mutant| mutant.models.iter().any(|name| name == model))
                .map(|mutant| mutant.name.clone())
                .collect()
        };
        if let Some(row) = rows.iter().find(|row| faults_of(&row.model).is_empty()) {
            return Err(format!("{package}: {} has no fault to find", row.model));
        }
        for mutant in &mutants {
            planted += 1;
            let missed = plant(&copy, package, mutant)?;
            if missed.is_empty() {
                println!("    caught    {:<36} {}", mutant.name, mutant.fault);
            } else {
                survived += 1;
                println!("    SURVIVED  {:<36} {missed:?}", mutant.name);
            }
        }
        tables.push_str(&table::table(&rows, faults_of));
    }
    println!("\n{tables}");
    Ok((planted, survived))
}

/// The models that did not find the fault.
fn plant(copy: &Copy, package: &str, mutant: &Mutant) -> Result<Vec<String>, String> {
    let before = mutant.apply(&copy.root)?;
    let result = Models::build(copy, package).and_then(|models| {
        let mut missed = Vec::new();
        for model in &mutant.models {
            if !models.find_fault(model, mutant.by_floor)? {
                missed.push(model.clone());
            }
        }
        Ok(missed)
    });
    patch::restore(&copy.root, &before)?;
    result.map_err(|error| format!("{}: {error}", mutant.name))
}

/// A built test binary.
struct Models {
    exe: PathBuf,
    /// `path::of::the_model`.
    tests: Vec<String>,
}

impl Models {
    fn build(copy: &Copy, package: &str) -> Result<Models, String> {
        let output = Command::new("cargo")
            .args(["test", "--profile", "mutants", "--test", "loom", "--no-run"])
            .args(["--message-format", "json-render-diagnostics", "-p", package])
            .args(["--features", &format!("{package}/loom")])
            .env("RUSTFLAGS", RUSTFLAGS)
            .env("CARGO_TARGET_DIR", &copy.target)
            .env_remove("CARGO_MANIFEST_DIR")
            .current_dir(&copy.root)
            .output()
            .map_err(|error| format!("cargo did not start: {error}"))?;
        if !output.status.success() {
            return Err(format!("it does not compile:\n{}", text_of(&output)));
        }
        let stdout = String::from_utf8_lossy(&output.stdout);
        let exe = stdout
            .lines()
            .filter_map(executable)
            .next_back()
            .ok_or("cargo named no test binary")?;
        let exe = PathBuf::from(exe);
        let list = Command::new(&exe)
            .arg("--list")
            .output()
            .map_err(|error| format!("{}: {error}", exe.display()))?;
        let tests = String::from_utf8_lossy(&list.stdout)
            .lines()
            .filter_map(|line| line.strip_suffix(": test"))
            .map(str::to_owned)
            .collect();
        Ok(Models { exe, tests })
    }

    fn run_all(&self) -> Result<Output, String> {
        self.run(&[])
    }

    /// Whether the model fails, by its own verdict or loom's; that it explored too little is
    /// a finding for some faults only.
    fn find_fault(&self, model: &str, by_floor: bool) -> Result<bool, String> {
        let test = self
            .tests
            .iter()
            .find(|test| test.rsplit("::").next() == Some(model))
            .ok_or_else(|| format!("there is no model {model}"))?;
        let output = self.run(&["--exact", test, "--nocapture"])?;
        let text = text_of(&output);
        if output.status.success() {
            return Ok(false);
        }
        // A model that was killed found nothing; one that fails says where it panicked.
        if text.contains("was still running after") && !text.contains("deadlock") {
            println!("    {model} ran into its time limit");
            return Ok(false);
        }
        if text.contains("is hidden from the checker") && !by_floor {
            println!("    {model} failed only its floor");
            return Ok(false);
        }
        if !text.contains("panicked at") {
            return Err(format!("{model} failed without a word:\n{text}"));
        }
        Ok(true)
    }

    fn run(&self, args: &[&str]) -> Result<Output, String> {
        let xtask = limited::own().map_err(|error| format!("where is xtask: {error}"))?;
        Command::new(xtask)
            .args([limited::VERB, &LIMIT.as_secs().to_string()])
            .arg(&self.exe)
            .args(args)
            .env("LOOM_MAX_BRANCHES", "10000")
            .env("LOOM_MAX_PREEMPTIONS", "3")
            .output()
            .map_err(|error| format!("{}: {error}", self.exe.display()))
    }
}

/// The path in `"executable":"…"` of one of cargo's messages.
fn executable(message: &str) -> Option<String> {
    let (_, rest) = message.split_once("\"executable\":\"")?;
    let (path, _) = rest.split_once('"')?;
    Some(path.replace("\\\\", "\\"))
}

fn text_of(output: &Output) -> String {
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    text
}

impl Copy {
    /// Copies the crates, with the workspace's manifest cut down to those that have models.
    ///
    /// The others are there since an example in the documentation imports the door, and the door's
    /// manifest names them all.
    fn make(workspace: &Workspace) -> Result<Copy, String> {
        let dir = workspace.target().join("mutants");
        let copy = Copy {
            root: dir.join("src"),
            target: dir.join("target"),
        };
        if copy.root.exists() {
            fs::remove_dir_all(&copy.root).map_err(|error| format!("{error}"))?;
        }
        let dirs: Vec<&str> = CRATES
            .iter()
            .map(|(_, dir)| *dir)
            .filter(|dir| workspace.has(&format!("{dir}/Cargo.toml")))
            .collect();
        let is_copied = |file: &str| {
            file == "Cargo.lock"
                || file == "README.md"
                || file.starts_with("crates/")
                || dirs.iter().any(|dir| file.starts_with(&format!("{dir}/")))
        };
        for file in workspace.files()?.iter().filter(|file| is_copied(file)) {
            put(&workspace.root().join(file), &copy.root.join(file))?;
        }
        let manifest = fs::read_to_string(workspace.root().join("Cargo.toml"))
            .map_err(|error| format!("Cargo.toml: {error}"))?;
        fs::write(
            copy.root.join("Cargo.toml"),
            cut_down(&manifest, &dirs)? + PROFILE,
        )
        .map_err(|error| format!("Cargo.toml: {error}"))?;
        Ok(copy)
    }
}

fn put(from: &Path, to: &Path) -> Result<(), String> {
    let parent = to.parent().ok_or("a file without a directory")?;
    fs::create_dir_all(parent)
        .and_then(|()| fs::copy(from, to))
        .map(|_| ())
        .map_err(|error| format!("{}: {error}", from.display()))
}

/// The manifest with `dirs` for members.
fn cut_down(manifest: &str, dirs: &[&str]) -> Result<String, String> {
    let list = |name: &str| {
        let start = manifest.find(&format!("\n{name} = ["))?;
        let end = start + manifest[start..].find(']')?;
        Some(start..=end)
    };
    let members = list("members").ok_or("Cargo.toml has no list of members")?;
    let mut text = manifest.to_owned();
    if let Some(default) = list("default-members")
        && default.start() > members.start()
    {
        text.replace_range(default, "");
    }
    text.replace_range(members, &format!("\nmembers = {dirs:?}"));
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_is_cut_down_to_the_copied_crates() {
        let manifest = "[workspace]\nmembers = [\n  \"a\",\n  \"b\",\n]\n# no\ndefault-members = \
                        [\"b\"]\n[x]\ny = [1]\n";
        assert_eq!(
            cut_down(manifest, &["a"]),
            Ok("[workspace]\nmembers = [\"a\"]\n# no\n[x]\ny = [1]\n".to_owned())
        );
        assert!(cut_down("[workspace]\n", &[]).is_err());
    }

    #[test]
    fn the_test_binary_is_found_in_what_cargo_says() {
        let message = r#"{"reason":"compiler-artifact","executable":"/t/loom-1","fresh":true}"#;
        assert_eq!(executable(message).as_deref(), Some("/t/loom-1"));
        assert_eq!(executable(r#"{"executable":null}"#), None);
    }
}
