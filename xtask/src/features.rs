//! Every published crate with no feature, with each one alone, and with all of them.

use crate::packages::{Package, published};
use crate::steps::{Cmd, Outcome, Steps};
use crate::workspace::Workspace;

pub(crate) fn run(workspace: &Workspace, steps: &mut Steps, _: &[String]) -> Outcome {
    let packages = match published(workspace) {
        Ok(packages) => packages,
        Err(why) => return steps.check("packages", "cargo xtask features", || Err(why)),
    };
    for package in &packages {
        for line in lines(package) {
            steps.run(
                workspace,
                &line,
                &Cmd::cargo(&format!("check --lib --bins {line}")),
            )?;
        }
    }
    Ok(())
}

fn lines(package: &Package) -> Vec<String> {
    let name = &package.name;
    let features: Vec<&str> = package.features().collect();
    if features.is_empty() {
        // Built by every other verb.
        return Vec::new();
    }
    let mut lines = vec![format!("-p {name} --no-default-features")];
    // The default is what every other verb builds.
    let alone = features.iter().filter(|feature| **feature != "default");
    lines.extend(
        alone.map(|feature| format!("-p {name} --no-default-features --features {feature}")),
    );
    lines.push(format!("-p {name} --all-features"));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packages::testing::package;

    #[test]
    fn each_feature_is_checked_alone() {
        let crate_with_two = package("core", "1.85", &["default", "loom", "signal"]);
        assert_eq!(
            lines(&crate_with_two),
            [
                "-p core --no-default-features",
                "-p core --no-default-features --features loom",
                "-p core --no-default-features --features signal",
                "-p core --all-features",
            ]
        );
        assert_eq!(lines(&package("tool", "1.85", &[])), [""; 0]);
    }
}
