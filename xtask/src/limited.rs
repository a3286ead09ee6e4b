//! Runs one program and kills it when its time is up: `xtask limited SECONDS PROGRAM ARGS`.
//!
//! Cargo calls it as a runner, in front of the test binary it built.
//! A model or a test that hangs then fails, and no process is left behind.

use std::env;
use std::io;
use std::path::PathBuf;
use std::process::{self, Child, Command, ExitCode};
use std::thread;
use std::time::{Duration, Instant};

pub(crate) const VERB: &str = "limited";

/// The arguments that make cargo start what it built through this module.
pub(crate) fn cargo_config(limit: Duration) -> Vec<String> {
    // Without its own path xtask cannot be a runner; the programs then run unlimited.
    let own = own().ok();
    let Some(exe) = own.and_then(|exe| exe.into_os_string().into_string().ok()) else {
        return Vec::new();
    };
    let runner = format!("{:?}", [exe.as_str(), VERB, &limit.as_secs().to_string()]);
    vec![
        "--config".to_owned(),
        format!("target.'cfg(all())'.runner={runner}"),
    ]
}

/// The program that runs now, to be started again.
pub(crate) fn own() -> io::Result<PathBuf> {
    // Linux finds it there also when cargo has replaced it meanwhile.
    let running = PathBuf::from(format!("/proc/{}/exe", process::id()));
    match running.exists() {
        true => Ok(running),
        false => env::current_exe(),
    }
}

pub(crate) fn run(args: &[String]) -> ExitCode {
    let [seconds, program, args @ ..] = args else {
        eprintln!("usage: xtask {VERB} SECONDS PROGRAM [ARGS]");
        return ExitCode::from(2);
    };
    let Ok(limit) = seconds.parse().map(Duration::from_secs) else {
        eprintln!("xtask {VERB}: `{seconds}` is not a number of seconds");
        return ExitCode::from(2);
    };
    let result = Command::new(program)
        .args(args)
        .spawn()
        .and_then(|child| wait(child, limit));
    match result {
        Ok(Some(true)) => ExitCode::SUCCESS,
        Ok(Some(false)) => ExitCode::FAILURE,
        Ok(None) => {
            eprintln!("xtask: {program} was still running after {seconds} s and was killed");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("xtask: {program} did not run: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether the child succeeded, or `None` if it had to be killed.
fn wait(mut child: Child, limit: Duration) -> io::Result<Option<bool>> {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            if !status.success() {
                eprintln!("xtask: {status}");
            }
            return Ok(Some(status.success()));
        }
        if started.elapsed() >= limit {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(20));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Stdio;

    /// A child that waits for its input to end, which it does when `Child` is dropped.
    fn waiting() -> Child {
        Command::new("cat")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("`cat` is everywhere the tests run")
    }

    #[test]
    fn a_program_past_its_limit_is_killed_and_reported() {
        assert_eq!(
            wait(waiting(), Duration::ZERO).expect("the child can be killed"),
            None
        );
    }

    #[test]
    fn a_program_within_its_limit_keeps_its_own_verdict() {
        let hour = Duration::from_secs(3600);
        let mut child = waiting();
        drop(child.stdin.take());
        assert_eq!(wait(child, hour).expect("the child ends"), Some(true));
        let child = Command::new("cat")
            .arg("--no-such-option")
            .stderr(Stdio::null())
            .spawn()
            .expect("`cat` is everywhere the tests run");
        assert_eq!(wait(child, hour).expect("the child ends"), Some(false));
    }

    #[test]
    fn a_malformed_limit_is_refused() {
        let refused = |args: &[&str]| {
            let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
            format!("{:?}", run(&args)) == format!("{:?}", ExitCode::from(2))
        };
        assert!(refused(&[]));
        assert!(refused(&["5"]));
        assert!(refused(&["soon", "cat"]));
    }
}
