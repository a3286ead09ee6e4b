//! The README stays short and names the two commands.

use super::{Files, Finding};

const LONGEST: usize = 150;

/// What a newcomer is told to run, each on a line of its own.
const COMMANDS: [&str; 2] = ["cargo run -p examples", "cargo xtask ci"];

pub(super) fn check(files: &Files) -> Vec<Finding> {
    let path = "README.md";
    let Some(text) = files.get(path) else {
        return vec![Finding::new(path, 0, "there is no README")];
    };
    let mut findings = Vec::new();
    let lines = text.lines().count();
    if lines > LONGEST {
        findings.push(Finding::new(
            path,
            lines,
            format!("longer than {LONGEST} lines"),
        ));
    }
    for command in COMMANDS {
        if !text.lines().any(|line| line == command) {
            findings.push(Finding::new(
                path,
                0,
                format!("`{command}` has no line of its own"),
            ));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::testing::{files, places};
    use super::*;

    #[test]
    fn a_long_readme_is_found() {
        let commands = COMMANDS.join("\n");
        let fits = format!("{commands}\n{}", "line\n".repeat(148));
        assert_eq!(check(&files(&[("README.md", &fits)])), []);
        let long = format!("{fits}one more\n");
        assert_eq!(
            places(&check(&files(&[("README.md", &long)]))),
            ["README.md:151"]
        );
    }

    #[test]
    fn a_readme_without_its_commands_is_found() {
        let one = format!("{}\n", COMMANDS[1]);
        let findings = check(&files(&[("README.md", &one)]));
        assert_eq!(findings.len(), 1);
        assert!(findings[0].what.contains(COMMANDS[0]));
        assert_eq!(check(&files(&[("crates/a/README.md", "")])).len(), 1);
    }
}
