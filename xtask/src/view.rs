//! The page of the live view, in a real browser, against the demo under load.

use std::path::PathBuf;
use std::process::Command;
use std::{env, fs};

use crate::command::Flag;
use crate::steps::{Cmd, Failed, Outcome, Steps};
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

/// Ten viewers and a load, for so many minutes.
const VIEWERS: &str = "crates/tokio-ctx-view/tests/page/viewers.mjs";

const MINUTES: &str = "10";

pub(crate) const OPTIONS: &[Flag] = &[
    ("--save", "keeps the pictures that the documentation shows"),
    (
        "--viewers",
        "ten viewers of a loaded service, for ten minutes",
    ),
];

pub(crate) fn offered(workspace: &Workspace) -> bool {
    workspace.has(CHECK)
}

pub(crate) fn run(workspace: &Workspace, steps: &mut Steps, options: &[String]) -> Outcome {
    if options.iter().any(|option| option == "--viewers") {
        return viewers(workspace, steps);
    }
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
    let demo = demo(workspace, steps, "debug")?;
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

/// Builds the demo in a profile's directory.
fn demo(workspace: &Workspace, steps: &mut Steps, profile: &str) -> Result<PathBuf, Failed> {
    let mut line = "build -p examples --bin demo".to_owned();
    if profile == "release" {
        line.push_str(" --release");
    }
    steps.run(workspace, "the demo", &Cmd::cargo(&line))?;
    let name = format!("demo{}", env::consts::EXE_SUFFIX);
    Ok(workspace.target().join(profile).join(name))
}

fn viewers(workspace: &Workspace, steps: &mut Steps) -> Outcome {
    let demo = demo(workspace, steps, "release")?;
    let check = Cmd::new("node")
        .arg(workspace.root().join(VIEWERS))
        .arg(demo)
        .arg(MINUTES);
    steps.run(workspace, "ten viewers", &check)
}
