//! The lock files of the workspaces beside ours know what our crates ask for.
//!
//! Their programs run where their servers are, which is not everywhere, and only with `--locked`.

use toml::{Table, Value};

use super::{Files, Finding};

/// The lock file of the workspace itself, which cargo keeps by itself.
const OURS: &str = "Cargo.lock";

pub(super) fn check(files: &Files) -> Vec<Finding> {
    let manifests = files
        .ending("Cargo.toml")
        .filter_map(|(_, text)| text.parse::<Table>().ok());
    let ours: Vec<(String, Vec<String>)> =
        manifests.filter_map(|manifest| asked(&manifest)).collect();
    let mut findings = Vec::new();
    for (path, text) in files.ending(OURS).filter(|(path, _)| *path != OURS) {
        let Ok(lock) = text.parse::<Table>() else {
            findings.push(Finding::new(path, 0, "no lock file of cargo"));
            continue;
        };
        for package in array(&lock, "package").iter().filter_map(Value::as_table) {
            let name = string(package, "name");
            // What came from a registry is not ours.
            let known = ours
                .iter()
                .find(|(our, _)| *our == name && !package.contains_key("source"));
            let Some((_, asked)) = known else { continue };
            let locked = array(package, "dependencies")
                .iter()
                .filter_map(Value::as_str);
            // "name", or "name version" where there are several.
            let locked: Vec<&str> = locked.filter_map(|text| text.split(' ').next()).collect();
            for missing in asked
                .iter()
                .filter(|asked| !locked.contains(&asked.as_str()))
            {
                let what = format!("`{name}` asks for `{missing}`: run `cargo metadata` beside it");
                findings.push(Finding::new(path, 0, what));
            }
        }
    }
    findings
}

/// A crate's name, and the packages that it always asks for.
fn asked(manifest: &Table) -> Option<(String, Vec<String>)> {
    let name = string(manifest.get("package")?.as_table()?, "name");
    let dependencies = manifest.get("dependencies")?.as_table()?;
    let always = dependencies.iter().filter_map(|(key, value)| {
        let table = value.as_table();
        let is_optional = table.and_then(|table| table.get("optional")?.as_bool());
        let package = table.and_then(|table| table.get("package")?.as_str());
        (is_optional != Some(true)).then(|| package.unwrap_or(key).to_owned())
    });
    Some((name.to_owned(), always.collect()))
}

fn string<'t>(table: &'t Table, key: &str) -> &'t str {
    table.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn array<'t>(table: &'t Table, key: &str) -> &'t [Value] {
    let found = table.get(key).and_then(Value::as_array);
    found.map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::super::testing::files;
    use super::*;

    const MANIFEST: &str = "[package]\nname = \"ours\"\n[dependencies]\na = \"1\"\nb = { package = \
        \"c\", version = \"1\" }\nd = { version = \"1\", optional = true }\n";

    fn found(lock: &str) -> Vec<String> {
        let files = files(&[
            ("crates/ours/Cargo.toml", MANIFEST),
            ("tests/x/Cargo.lock", lock),
        ]);
        check(&files)
            .into_iter()
            .map(|finding| finding.what)
            .collect()
    }

    #[test]
    fn a_lock_file_beside_that_lacks_what_a_crate_asks_for_is_found() {
        let whole = "[[package]]\nname = \"ours\"\ndependencies = [\"a 1.0.0\", \"c\"]\n";
        assert_eq!(found(whole), [""; 0]);
        let old = "[[package]]\nname = \"ours\"\ndependencies = [\"a\"]\n";
        let why = "`ours` asks for `c`: run `cargo metadata` beside it";
        assert_eq!(found(old), [why]);
        assert_eq!(found("[["), ["no lock file of cargo"]);
    }

    #[test]
    fn a_package_of_that_name_from_elsewhere_is_not_ours() {
        let theirs = "[[package]]\nname = \"ours\"\nsource = \"registry\"\n";
        assert_eq!(found(theirs), [""; 0]);
    }
}
