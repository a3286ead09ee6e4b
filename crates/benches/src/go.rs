//! The Go program, which waits to be asked for one work after the other.

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

/// The oldest Go whose figures are comparable.
const OLDEST: u32 = 26;

/// The Go program, if there is a Go to build it with.
pub(crate) struct Go(Result<Peer, String>);

struct Peer {
    version: String,
    program: PathBuf,
    process: RefCell<Child>,
    pipes: RefCell<(ChildStdin, BufReader<ChildStdout>)>,
}

impl Go {
    /// Builds and starts it. `named` is a `go` that the user gave; otherwise the search path
    /// is used.
    pub(crate) fn start(named: Option<&Path>) -> Go {
        Go(start(named.unwrap_or(Path::new("go"))))
    }

    /// Which Go it is, or why there is none.
    pub(crate) fn version(&self) -> Result<&str, &str> {
        match &self.0 {
            Ok(peer) => Ok(&peer.version),
            Err(why) => Err(why),
        }
    }

    /// The program that was built.
    pub(crate) fn program(&self) -> Option<&Path> {
        self.0.as_ref().ok().map(|peer| peer.program.as_path())
    }

    pub(crate) fn id(&self) -> Option<u32> {
        self.0.as_ref().ok().map(|peer| peer.process.borrow().id())
    }

    /// How long `times` times `work` took on `procs` processors, 0 for all.
    pub(crate) fn measure(&self, work: &str, times: u64, procs: usize) -> Option<Duration> {
        let peer = self.0.as_ref().ok()?;
        let (input, output) = &mut *peer.pipes.borrow_mut();
        writeln!(input, "{work} {times} {procs}").ok()?;
        input.flush().ok()?;
        let mut answer = String::new();
        output.read_line(&mut answer).ok()?;
        answer.trim().parse().ok().map(Duration::from_nanos)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let process = self.process.get_mut();
        let _ = process.kill();
        let _ = process.wait();
    }
}

fn start(go: &Path) -> Result<Peer, String> {
    let version = Command::new(go)
        .args(["env", "GOVERSION"])
        .output()
        .map_err(|_| format!("no `{}` on the search path", go.display()))?;
    let version = String::from_utf8_lossy(&version.stdout).trim().to_owned();
    let minor: u32 = version
        .strip_prefix("go1.")
        .and_then(|rest| rest.split('.').next()?.parse().ok())
        .ok_or_else(|| format!("`{}` has no version", go.display()))?;
    if minor < OLDEST {
        return Err(format!("{version} is older than go1.{OLDEST}"));
    }
    let source = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("go");
    let program = std::env::current_exe()
        .map_err(|error| error.to_string())?
        .with_file_name("benches-go");
    let built = Command::new(go)
        .args(["build", "-o"])
        .arg(&program)
        .arg(".")
        .current_dir(source)
        .env("GOTOOLCHAIN", "local")
        .status()
        .map_err(|error| error.to_string())?;
    if !built.success() {
        return Err(format!("{version} did not build the Go side"));
    }
    let mut process = Command::new(&program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| error.to_string())?;
    let (Some(input), Some(output)) = (process.stdin.take(), process.stdout.take()) else {
        return Err("the Go side has no pipes".to_owned());
    };
    let mut output = BufReader::new(output);
    let mut version = String::new();
    output
        .read_line(&mut version)
        .map_err(|error| error.to_string())?;
    Ok(Peer {
        version: version.trim().to_owned(),
        program,
        process: RefCell::new(process),
        pipes: RefCell::new((input, output)),
    })
}
