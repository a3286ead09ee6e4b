//! Third-party clients against a service of ours: what pip and npm bring goes into
//! the build directory, programs are used where they are installed.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::command::Flag;
use crate::steps::{Cmd, Outcome, Steps};
use crate::workspace::Workspace;

/// Each client is bounded by itself; this ends a run that hangs.
const LIMIT: Duration = Duration::from_secs(240);

/// What each of the two brings.
const PYTHON: &str = "aiohttp grpcio httpx[http2] opentelemetry-api opentelemetry-sdk websockets";
const NODE: &str = "@grpc/grpc-js grpc-web ws";

/// Programs that a distribution brings.
const PROGRAMS: &[&str] = &["curl", "nginx", "nghttp", "h2load", "wrk"];

/// How the last line of the run begins.
const VERDICT: &str = "clients: ";

/// What `--million` sends, and how long that may take on a machine with two slow cores.
const REQUESTS: &str = "1000000";
const MILLION_LIMIT: Duration = Duration::from_secs(3600);

pub(crate) const OPTIONS: &[Flag] = &[("--million", "a million requests through nginx instead")];

pub(crate) fn offered(workspace: &Workspace) -> bool {
    workspace.has("tests/clients/Cargo.toml")
}

pub(crate) fn run(workspace: &Workspace, steps: &mut Steps, options: &[String]) -> Outcome {
    if options.iter().any(|option| option == "--million") {
        let build = Cmd::cargo("build -p clients");
        steps.run(workspace, "build the service and its callers", &build)?;
        let million = Cmd::cargo("run -q -p clients -- million")
            .arg(REQUESTS)
            .limit(MILLION_LIMIT);
        return steps.run(workspace, "a million requests through nginx", &million);
    }
    let tools = workspace.target().join("clients");
    let (python, node) = (tools.join("python"), tools.join("node"));
    for (title, program, folder, wanted) in [
        ("clients of Python", "python3", &python, PYTHON),
        ("clients of Node", "npm", &node, NODE),
    ] {
        if is_there(program) {
            let shown = format!("{program}, into {}", folder.display());
            steps.check(title, &shown, || install(program, folder, wanted))?;
        } else {
            steps.skip(title, &format!("{program} is not installed"));
        }
    }
    for program in PROGRAMS.iter().filter(|program| !is_there(program)) {
        steps.skip(program, "it is not installed");
    }
    let build = Cmd::cargo("build -p clients");
    steps.run(workspace, "build the service and our clients", &build)?;
    let check = Cmd::cargo("run -q -p clients -- check")
        .arg(workspace.root().join("tests/clients"))
        .arg(python.join("bin/python"))
        .arg(node.join("node_modules"))
        .limit(LIMIT);
    let mut last = String::new();
    steps.check("clients", &check.to_string(), || {
        last = check.last_line(workspace)?;
        Ok(())
    })?;
    if last.starts_with(VERDICT) {
        steps.last_line(last);
    }
    Ok(())
}

/// Installs what is wanted, unless it is there.
fn install(program: &str, into: &Path, wanted: &str) -> Result<(), String> {
    let done = into.join("installed");
    if fs::read_to_string(&done).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    fs::create_dir_all(into).map_err(|error| format!("{}: {error}", into.display()))?;
    let mut words: Vec<&str> = wanted.split(' ').collect();
    if program == "npm" {
        words.splice(
            0..0,
            "install --no-audit --no-fund --silent --prefix .".split(' '),
        );
        call(Path::new(program), &words, into)?;
    } else {
        call(Path::new(program), &["-m", "venv", "."], into)?;
        words.splice(0..0, "-m pip install --quiet".split(' '));
        call(&into.join("bin/python"), &words, into)?;
    }
    fs::write(&done, wanted).map_err(|error| format!("{}: {error}", done.display()))
}

fn call(program: &Path, args: &[&str], directory: &Path) -> Result<(), String> {
    let output = Command::new(program)
        .args(args)
        .current_dir(directory)
        .output();
    let output = output.map_err(|error| format!("{} did not start: {error}", program.display()))?;
    if output.status.success() {
        return Ok(());
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    let last = complaint.lines().last().unwrap_or_default();
    Err(format!("{} failed: {last}", program.display()))
}

/// Where Debian puts servers is not on everybody's path.
fn is_there(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut directories: Vec<_> = std::env::split_paths(&path).collect();
    directories.push("/usr/sbin".into());
    directories
        .iter()
        .any(|directory| directory.join(program).is_file())
}
