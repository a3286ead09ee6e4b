//! `docs/appendix/planted-faults.md`: the planted faults and the models that find them, as a page.

use std::fs;

use super::patch::{self, Mutant};
use crate::workspace::Workspace;

const PAGE: &str = "docs/appendix/planted-faults.md";

const PACKAGES: [&str; 2] = ["tokio-ctx-core", "spawn_scoped"];

pub(super) fn write(workspace: &Workspace) -> Result<(), String> {
    let page = page(workspace)?;
    fs::write(workspace.root().join(PAGE), page).map_err(|error| format!("{PAGE}: {error}"))
}

fn page(workspace: &Workspace) -> Result<String, String> {
    let mut text = String::from(
        "# The planted faults\n\n\
         Each is a change of the source that `cargo xtask loom --mutants` makes in a copy; every \
         model that is named with it must fail.\n\
         `cargo xtask loom --list` writes this page.\n",
    );
    for package in PACKAGES {
        let file = format!("xtask/mutants/{package}.txt");
        let faults = fs::read_to_string(workspace.root().join(&file))
            .map_err(|error| format!("{file}: {error}"))?;
        let mutants = patch::parse(&faults).map_err(|error| format!("{file}: {error}"))?;
        let number = mutants.len();
        text.push_str(&format!("\n## {package}: {number}\n\n"));
        text.push_str("| name | the fault | found by |\n|---|---|---|\n");
        text.extend(mutants.iter().map(row));
    }
    Ok(text)
}

fn row(mutant: &Mutant) -> String {
    let models: Vec<String> = mutant
        .models
        .iter()
        .map(|model| format!("`{model}`"))
        .collect();
    let fault = mutant.fault.replace('|', "\\|");
    format!("| `{}` | {fault} | {} |\n", mutant.name, models.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_what_the_files_of_faults_say() {
        let workspace = Workspace::find().expect("the tests run in the workspace");
        let written = fs::read_to_string(workspace.root().join(PAGE)).expect("the page is there");
        let page = page(&workspace).expect("the files are well-formed");
        assert!(written == page, "write it anew: cargo xtask loom --list");
    }
}
