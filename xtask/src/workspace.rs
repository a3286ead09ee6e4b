//! Where the workspace is and what is in it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

pub(crate) struct Workspace {
    root: PathBuf,
}

impl Workspace {
    /// The workspace that this xtask belongs to.
    pub(crate) fn find() -> Result<Workspace, String> {
        // `cargo run` sets the variable; a binary that is started directly has only what it was built with.
        let manifest = env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        match manifest.parent() {
            Some(root) if root.join("Cargo.toml").is_file() => Ok(Workspace {
                root: root.to_path_buf(),
            }),
            _ => Err("the workspace's Cargo.toml is not where it was built".to_owned()),
        }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn has(&self, path: &str) -> bool {
        self.root.join(path).exists()
    }

    /// The directory cargo builds into.
    pub(crate) fn target(&self) -> PathBuf {
        match env::var_os("CARGO_TARGET_DIR") {
            Some(dir) => self.root.join(dir),
            None => self.root.join("target"),
        }
    }

    /// Paths of the project's files relative to its root, with `/` between the parts, sorted.
    ///
    /// Git knows best which files are the project's; without git, everything outside the build and
    /// git directories is.
    pub(crate) fn files(&self) -> Result<Vec<String>, String> {
        let listed = Command::new("git")
            .args([
                "ls-files",
                "-z",
                "--cached",
                "--others",
                "--exclude-standard",
            ])
            .current_dir(&self.root)
            .output();
        let mut files: Vec<String> = match listed {
            Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout)
                .split_terminator('\0')
                .filter(|path| self.root.join(path).is_file())
                .map(str::to_owned)
                .collect(),
            _ => self.walk()?,
        };
        files.sort();
        files.dedup();
        Ok(files)
    }

    fn walk(&self) -> Result<Vec<String>, String> {
        let mut files = Vec::new();
        let mut dirs = vec![self.root.clone()];
        while let Some(dir) = dirs.pop() {
            let entries =
                fs::read_dir(&dir).map_err(|error| format!("{}: {error}", dir.display()))?;
            for entry in entries {
                let path = entry
                    .map_err(|error| format!("{}: {error}", dir.display()))?
                    .path();
                let skipped = [OsStr::new("target"), OsStr::new(".git")]
                    .map(Some)
                    .contains(&path.file_name());
                if path.is_dir() && !skipped {
                    dirs.push(path);
                } else if path.is_file()
                    && let Ok(relative) = path.strip_prefix(&self.root)
                {
                    files.push(relative.to_string_lossy().replace('\\', "/"));
                }
            }
        }
        Ok(files)
    }
}
