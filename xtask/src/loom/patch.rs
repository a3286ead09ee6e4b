//! Planted faults: a file of them, and how one is applied to a copy of the sources.

use std::fs;
use std::path::Path;

/// A fault and the models that must find it.
#[derive(Debug, PartialEq)]
pub(super) struct Mutant {
    pub(super) name: String,
    pub(super) fault: String,
    /// Names of test functions.
    pub(super) models: Vec<String>,
    /// Whether it shows as a model that explores too little, and in no other way.
    pub(super) by_floor: bool,
    edits: Vec<Edit>,
}

#[derive(Debug, PartialEq)]
struct Edit {
    file: String,
    find: String,
    replace: String,
}

/// Reads what `xtask/mutants/*.txt` says of itself.
pub(super) fn parse(text: &str) -> Result<Vec<Mutant>, String> {
    let mut mutants: Vec<Mutant> = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        let wrong = |what: &str| format!("line {}: {what}", index + 1);
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        if line == "<<<" {
            let mut block = |end: &str| {
                let text: Vec<&str> = lines
                    .by_ref()
                    .map(|(_, line)| line)
                    .take_while(|line| *line != end)
                    .collect();
                text.join("\n")
            };
            let (find, replace) = (block("==="), block(">>>"));
            let edit = mutants.last_mut().and_then(|last| last.edits.last_mut());
            let edit = edit.ok_or_else(|| wrong("an edit of no file"))?;
            (edit.find, edit.replace) = (find, replace);
            continue;
        }
        let (field, value) = line
            .split_once(": ")
            .ok_or_else(|| wrong("neither a field nor an edit"))?;
        if field == "mutant" {
            mutants.push(Mutant {
                name: value.to_owned(),
                fault: String::new(),
                models: Vec::new(),
                by_floor: false,
                edits: Vec::new(),
            });
            continue;
        }
        let mutant = mutants
            .last_mut()
            .ok_or_else(|| wrong("a field of no mutant"))?;
        match field {
            "fault" => value.clone_into(&mut mutant.fault),
            "models" => mutant.models = value.split_whitespace().map(str::to_owned).collect(),
            "floor" => mutant.by_floor = value == "yes",
            "file" => mutant.edits.push(Edit {
                file: value.to_owned(),
                find: String::new(),
                replace: String::new(),
            }),
            _ => return Err(wrong("an unknown field")),
        }
    }
    for Mutant {
        name,
        models,
        edits,
        ..
    } in &mutants
    {
        if models.is_empty() || edits.is_empty() || edits.iter().any(|edit| edit.find.is_empty()) {
            return Err(format!("{name} has no models, or nothing to find"));
        }
    }
    Ok(mutants)
}

impl Mutant {
    /// Applies the fault below `root`, and gives back how the files were.
    pub(super) fn apply(&self, root: &Path) -> Result<Vec<(String, String)>, String> {
        let mut before: Vec<(String, String)> = Vec::new();
        for Edit {
            file,
            find,
            replace,
        } in &self.edits
        {
            let path = root.join(file);
            let text = fs::read_to_string(&path).map_err(|error| format!("{file}: {error}"))?;
            let found = text.matches(find.as_str()).count();
            if found != 1 {
                restore(root, &before)?;
                return Err(format!(
                    "{}: its text occurs {found} times in {file}, not once:\n{find}",
                    self.name
                ));
            }
            let changed = text.replace(find.as_str(), replace);
            fs::write(&path, changed).map_err(|error| format!("{file}: {error}"))?;
            if !before.iter().any(|(known, _)| known == file) {
                before.push((file.clone(), text));
            }
        }
        Ok(before)
    }
}

/// Undoes what [`Mutant::apply`] did.
pub(super) fn restore(root: &Path, before: &[(String, String)]) -> Result<(), String> {
    before.iter().try_for_each(|(file, text)| {
        fs::write(root.join(file), text).map_err(|error| format!("{file}: {error}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# faults\n\nmutant: one\nfault: it is two\nmodels: a b\nfile: x.rs\n<<<\n  \
                        1\n===\n  2\n>>>\n";

    #[test]
    fn every_planted_fault_finds_its_line_in_the_sources() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for name in ["tokio-ctx-core", "spawn_scoped"] {
            let list = root.join(format!("xtask/mutants/{name}.txt"));
            let text = fs::read_to_string(&list).expect("the list is there");
            for mutant in parse(&text).expect("it is well-formed") {
                for Edit { file, find, .. } in &mutant.edits {
                    let source = fs::read_to_string(root.join(file)).expect("the file is there");
                    let found = source.matches(find.as_str()).count();
                    assert_eq!(found, 1, "{}, in {file}:\n{find}", mutant.name);
                }
            }
        }
    }

    #[test]
    fn a_mutant_is_read_and_applied_and_undone() {
        let mutants = parse(TEXT).expect("it is well-formed");
        assert_eq!(mutants[0].models, ["a", "b"]);
        let root = std::env::temp_dir().join(format!("xtask-patch-{}", std::process::id()));
        fs::create_dir_all(&root).expect("the temporary directory is writable");
        fs::write(root.join("x.rs"), "f(\n  1\n)").expect("it is writable");
        let before = mutants[0].apply(&root).expect("the text is there once");
        let read = || fs::read_to_string(root.join("x.rs")).expect("it is there");
        assert_eq!(read(), "f(\n  2\n)");
        // The text is not there any more.
        assert!(mutants[0].apply(&root).is_err());
        restore(&root, &before).expect("it is writable");
        assert_eq!(read(), "f(\n  1\n)");
        fs::write(root.join("x.rs"), "  1  1").expect("it is writable");
        assert!(mutants[0].apply(&root).is_err(), "twice is once too often");
        fs::remove_dir_all(&root).expect("it is ours");
    }

    #[test]
    fn a_malformed_file_is_refused() {
        for text in [
            "models: a\n",
            "mutant: one\nfault: f\nmodels: a\n",
            "mutant: one\nfile: x.rs\n<<<\na\n===\nb\n>>>\n",
            "mutant: one\n<<<\na\n===\nb\n>>>\n",
            "mutant: one\nmodels: a\nfile: x.rs\n<<<\n===\nb\n>>>\n",
            "mutant one\n",
        ] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }
}
