//! A server process that does not outlive the one that started it.

use std::fmt;
use std::fs;
use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Why a server could not be started.
#[derive(Debug)]
pub struct Missing(pub(crate) String);

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Missing {}

/// Runs its arguments, and ends them with the signal in `$SIGNAL` when standard input does: a pipe
/// that the kernel closes when its other end dies. Nobody is left then to remove `$DIR`.
const SCRIPT: &str = r#"
exec 3<&0
"$@" & server=$!
{ read -r _ || touch "$DIR/orphan"; kill -"$SIGNAL" "$server"; } <&3 2>/dev/null & watch=$!
wait "$server"
if [ -e "$DIR/orphan" ]; then rm -rf "$DIR"; else kill "$watch" 2>/dev/null; fi
"#;

/// How long a server may take to answer, and to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server under a shell that ends it.
#[derive(Debug)]
pub(crate) struct Supervised {
    shell: Child,
}

impl Supervised {
    /// Starts `program` with `args` as `user`, with what it prints in a file of `dir`.
    pub(crate) fn start(
        signal: &str,
        user: Option<&str>,
        program: &Path,
        args: &[&str],
        dir: &Dir,
    ) -> Result<Supervised, Missing> {
        let log = fs::File::create(dir.0.join("log")).map_err(|error| told(&dir.0, &error))?;
        let err = log.try_clone().map_err(|error| told(program, &error))?;
        let mut command = Command::new("sh");
        command.args(["-c", SCRIPT, "sh"]);
        if let Some(user) = user {
            command.args(become_user(user));
        }
        let shell = command
            .arg(program)
            .args(args)
            .env("SIGNAL", signal)
            .env("DIR", &dir.0)
            .stdin(Stdio::piped())
            .stdout(log)
            .stderr(err)
            .spawn()
            .map_err(|error| told(program, &error))?;
        Ok(Supervised { shell })
    }

    /// Waits until the server is ready.
    pub(crate) fn wait_until(&mut self, is_ready: impl Fn() -> bool) -> Result<(), Missing> {
        let until = Instant::now() + PATIENCE;
        while !is_ready() {
            let has_ended = matches!(self.shell.try_wait(), Ok(Some(_)));
            if has_ended || Instant::now() > until {
                return Err(Missing("a server did not come up".to_owned()));
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

/// Whether something takes connections there.
pub(crate) fn listens(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
}

impl Drop for Supervised {
    fn drop(&mut self) {
        // The script reads a line, then ends the server and waits for it.
        if let Some(mut stdin) = self.shell.stdin.take() {
            let _ = stdin.write_all(b"\n");
        }
        let _ = self.shell.wait();
    }
}

/// A directory that is removed when it is dropped.
#[derive(Debug)]
pub(crate) struct Dir(pub(crate) PathBuf);

impl Dir {
    /// A new one, which belongs to `user`.
    pub(crate) fn new(kind: &str, user: Option<&str>) -> Result<Dir, Missing> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("tokio-ctx-{kind}-{}-{number}", std::process::id());
        // Sockets live in it, whose paths must be short, and another user walks into it.
        let path = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).map_err(|error| told(&path, &error))?;
        let dir = Dir(path);
        if let Some(user) = user {
            let owner = Command::new("chown").arg(user).arg(&dir.0).status();
            if !owner.is_ok_and(|status| status.success()) {
                return Err(Missing(format!("there is no user {user}")));
            }
        }
        Ok(dir)
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A port that nobody uses.
pub(crate) fn free_port() -> Result<u16, Missing> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|error| Missing(format!("no port is free: {error}")))
}

/// Who a server runs as: root may not, so it takes the user that the package made.
pub(crate) fn user_for_root(user: &'static str) -> Option<&'static str> {
    let id = Command::new("id").arg("-u").output().ok()?;
    (id.stdout.trim_ascii() == b"0").then_some(user)
}

/// The words in front of a command that make it run as `user`.
pub(crate) fn become_user(user: &str) -> [&str; 6] {
    ["setpriv", "--reuid", user, "--regid", user, "--init-groups"]
}

/// Sends `signal` to a process and all below it.
pub(crate) fn signal_tree(signal: &str, pid: &str) -> Result<(), Missing> {
    let mut pids = vec![pid.to_owned()];
    let mut next = 0;
    while let Some(parent) = pids.get(next) {
        let children = format!("/proc/{parent}/task/{parent}/children");
        let children = fs::read_to_string(children).unwrap_or_default();
        pids.extend(children.split_whitespace().map(str::to_owned));
        next += 1;
    }
    let status = Command::new("kill")
        .arg(format!("-{signal}"))
        .args(&pids)
        .status();
    if status.is_ok_and(|status| status.success()) {
        Ok(())
    } else {
        Err(Missing(format!("process {pid} takes no signal")))
    }
}

pub(crate) fn told(path: &Path, error: &std::io::Error) -> Missing {
    Missing(format!("{}: {error}", path.display()))
}
