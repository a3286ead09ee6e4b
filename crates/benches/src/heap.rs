//! The heap of this process, kept.
//!
//! glibc gives the end of the heap back to the kernel as soon as it is free, and the next
//! operation faults it in again: a tenth of a microsecond for each task of a large scope, or
//! nothing, by the luck of what lies there. A service's heap has something at its end. So the
//! heap keeps what it has, for both sides alike.

use std::env;
use std::process::Command;

const NAME: &str = "GLIBC_TUNABLES";
const KEEP: &str = "glibc.malloc.trim_threshold=1073741824:glibc.malloc.mmap_threshold=1073741824";

/// Starts this program anew with the setting, which is read when a process starts. Returns
/// where there is nothing to set, or something was set from outside.
pub(crate) fn keep() {
    if !cfg!(all(target_os = "linux", target_env = "gnu")) || env::var_os(NAME).is_some() {
        return;
    }
    #[cfg(unix)]
    if let Ok(program) = env::current_exe() {
        use std::os::unix::process::CommandExt as _;

        let failed = Command::new(program)
            .args(env::args_os().skip(1))
            .env(NAME, KEEP)
            .exec();
        eprintln!("benches: the heap is not kept: {failed}");
    }
}

/// For the head of the document.
pub(crate) fn described() -> String {
    match env::var(NAME) {
        Ok(setting) if setting == KEEP => "the system's, which keeps its heap".to_owned(),
        Ok(setting) => format!("the system's, with `{setting}`"),
        Err(_) => "the system's".to_owned(),
    }
}
