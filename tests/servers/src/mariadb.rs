//! A MariaDB server.

use std::path::Path;
use std::process::Command;

use crate::supervised::{Dir, Missing, Supervised, free_port, listens, told, user_for_root};

const PROGRAM: &str = "/usr/sbin/mariadbd";
const INSTALL: &str = "/usr/bin/mariadb-install-db";

/// A MariaDB server with the user `root`, without a password.
#[derive(Debug)]
pub struct MariaDb {
    // Dropped first, so that the directory is no longer in use.
    _server: Supervised,
    port: u16,
    _dir: Dir,
}

impl MariaDb {
    /// Starts a server.
    ///
    /// # Errors
    ///
    /// What is missing: usually the package.
    pub fn start() -> Result<MariaDb, Missing> {
        if !Path::new(PROGRAM).is_file() {
            return Err(Missing("mariadb-server-core is not installed".to_owned()));
        }
        let user = user_for_root("mysql");
        let dir = Dir::new("mariadb", user)?;
        let data = format!("--datadir={}", dir.0.join("data").display());
        let mut install = Command::new(INSTALL);
        install.args(["--no-defaults", "--skip-test-db", &data]);
        install.arg("--auth-root-authentication-method=normal");
        install.args(user.map(|user| format!("--user={user}")));
        let output = install.output();
        let output = output.map_err(|error| told(Path::new(INSTALL), &error))?;
        if !output.status.success() {
            let why = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(Missing(format!("mariadb-install-db failed: {why}")));
        }
        let port = free_port()?;
        let args = [
            "--no-defaults",
            &data,
            "--bind-address=127.0.0.1",
            &format!("--port={port}"),
            &format!("--socket={}", dir.0.join("socket").display()),
            &format!("--pid-file={}", dir.0.join("pid").display()),
            "--innodb-flush-log-at-trx-commit=0",
        ];
        let mut server = Supervised::start("TERM", user, Path::new(PROGRAM), &args, &dir)?;
        server.wait_until(|| listens(port))?;
        Ok(MariaDb {
            _server: server,
            port,
            _dir: dir,
        })
    }

    /// How clients are told to connect.
    #[must_use]
    pub fn url(&self) -> String {
        format!("mysql://root@127.0.0.1:{}/mysql", self.port)
    }
}
