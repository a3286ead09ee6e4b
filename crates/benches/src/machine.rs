//! What was measured on and with.

use std::fs;
use std::process::Command;

use crate::go::Go;
use crate::heap;

/// What stands at the head of the document.
pub(crate) fn about(go: &Go) -> Vec<(&'static str, String)> {
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    vec![
        ("machine", format!("{}, {cpus} CPUs", cpu())),
        ("system", system()),
        ("rustc", first_line(Command::new(rustc()).arg("--version"))),
        ("tokio", locked("tokio")),
        ("tokio-util", locked("tokio-util")),
        ("moro", locked("moro")),
        (
            "Go",
            match go.version() {
                Ok(version) => version.to_owned(),
                Err(why) => format!("not measured: {why}"),
            },
        ),
        ("profile", profile()),
        ("allocator", heap::described()),
    ]
}

fn profile() -> String {
    // Cargo's `bench` profile of this workspace, unless somebody builds it otherwise.
    if cfg!(debug_assertions) {
        "debug: figures mean nothing".to_owned()
    } else {
        option_env!("BENCHES_PROFILE")
            .unwrap_or("bench (thin LTO, one codegen unit), both sides alike")
            .to_owned()
    }
}

fn cpu() -> String {
    fs::read_to_string("/proc/cpuinfo")
        .ok()
        .and_then(|text| {
            let line = text.lines().find(|line| line.starts_with("model name"))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        })
        .unwrap_or_else(|| std::env::consts::ARCH.to_owned())
}

fn system() -> String {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{} {}", std::env::consts::OS, release.trim())
        .trim()
        .to_owned()
}

fn rustc() -> String {
    std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned())
}

fn first_line(command: &mut Command) -> String {
    command
        .output()
        .ok()
        .and_then(|output| {
            let text = String::from_utf8(output.stdout).ok()?;
            text.lines().next().map(str::to_owned)
        })
        .unwrap_or_else(|| "unknown".to_owned())
}

/// The version of a package that the workspace builds with.
fn locked(package: &str) -> String {
    let lock = concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.lock");
    let name = format!("name = \"{package}\"");
    fs::read_to_string(lock)
        .ok()
        .and_then(|text| {
            let mut lines = text.lines().skip_while(|line| *line != name);
            let version = lines.nth(1)?.strip_prefix("version = ")?;
            Some(version.trim_matches('"').to_owned())
        })
        .unwrap_or_else(|| "unknown".to_owned())
}
