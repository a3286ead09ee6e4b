//! The page of the live view, in a real browser, against the demo under load.

use std::path::PathBuf;
use std::process::Command;
use std::{env, fs};

use crate::steps::{Cmd, Outcome, Steps};
use crate::workspace::Workspace;

/// A driver of browsers that brings none of its own.
const DRIVER: &str = "playwright-core@1.65.1";

/// Where Debian and others put the browser.
const BROWSERS: &[&str] = &[
    "/usr/bin/chromium",
    "/usr/bin/chromium-browser",
    "/usr/bin/google-chrome",
];

const CHECK: &str = "crates/tokio-ctx-view/tests/page/check.mjs";

/// Where `--save` puts the pictures that the documentation shows.
const PICTURES: &str = "docs/pictures";

pub(crate) const OPTIONS: &[&str] = &["--save"];

pub(crate) fn offered(workspace: &Workspace) -> bool {
    workspace.has(CHECK)
}

pub(crate) fn run(workspace: &Workspace, steps: &mut Steps, options: &[String]) -> Outcome {
    let browser = BROWSERS
        .iter()
        .find(|path| fs::exists(path).is_ok_and(|there| there));
    let Some(browser) = browser else {
        steps.skip(
            "view",
            "there is no Chromium (Debian: apt-get install chromium)",
        );
        return Ok(());
    };
    if Command::new("npm").arg("--version").output().is_err() {
        steps.skip("view", "there is no npm");
        return Ok(());
    }
    steps.run(
        workspace,
        "the demo",
        &Cmd::cargo("build -p examples --bin demo"),
    )?;
    let folder = workspace.target().join("view");
    fs::create_dir_all(&folder).ok();
    let install = Cmd::new(&format!(
        "npm install --no-fund --no-audit --silent {DRIVER}"
    ));
    steps.run(
        workspace,
        "the browser's driver",
        &install.within(folder.clone()),
    )?;
    let demo = workspace
        .target()
        .join("debug")
        .join(format!("demo{}", env::consts::EXE_SUFFIX));
    let mut check = Cmd::new("node")
        .arg(workspace.root().join(CHECK))
        .arg(demo)
        .arg(PathBuf::from(browser));
    if options.iter().any(|option| option == "--save") {
        let pictures = workspace.root().join(PICTURES);
        fs::create_dir_all(&pictures).ok();
        check = check.arg(pictures);
    }
    steps.run(workspace, "the page", &check.within(folder))
}
