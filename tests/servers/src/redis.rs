//! A Redis server.

use std::path::Path;

use crate::supervised::{Dir, Missing, Supervised, free_port, listens};

const PROGRAM: &str = "/usr/bin/redis-server";

/// A Redis server that keeps nothing on disk.
#[derive(Debug)]
pub struct Redis {
    // Dropped first, so that the directory is no longer in use.
    _server: Supervised,
    port: u16,
    _dir: Dir,
}

impl Redis {
    /// Starts a server.
    ///
    /// # Errors
    ///
    /// What is missing: usually the package.
    pub fn start() -> Result<Redis, Missing> {
        if !Path::new(PROGRAM).is_file() {
            return Err(Missing("redis-server is not installed".to_owned()));
        }
        let dir = Dir::new("redis", None)?;
        let port = free_port()?;
        let text = port.to_string();
        let args = [
            "--port",
            &text,
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
        ];
        let mut server = Supervised::start("TERM", None, Path::new(PROGRAM), &args, &dir)?;
        server.wait_until(|| listens(port))?;
        Ok(Redis {
            _server: server,
            port,
            _dir: dir,
        })
    }

    /// How clients are told to connect.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }
}
