//! A PostgreSQL server.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::supervised::{
    Dir, Missing, Supervised, become_user, free_port, signal_tree, told, user_for_root,
};

/// The signal that makes the server end its sessions and leave: what `pg_ctl -m immediate` sends.
const IMMEDIATE: &str = "QUIT";

/// A PostgreSQL server with one database, `postgres`, and one user, `postgres`, without a
/// password.
#[derive(Debug)]
pub struct Postgres {
    // Dropped first, so that the directory is no longer in use.
    server: Option<Supervised>,
    port: u16,
    options: Options,
    dir: Dir,
}

/// How a [`Postgres`] is started.
#[derive(Clone, Debug, Default)]
pub struct Options {
    settings: Vec<(String, String)>,
    /// Certificate and key, in PEM.
    tls: Option<(String, String)>,
}

impl Options {
    /// A setting, as in `postgresql.conf`.
    #[must_use]
    pub fn set(mut self, name: &str, value: &str) -> Options {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Lets the server speak TLS with this certificate and this key, both in PEM.
    #[must_use]
    pub fn tls(mut self, certificate: &str, key: &str) -> Options {
        self.tls = Some((certificate.to_owned(), key.to_owned()));
        self
    }
}

impl Postgres {
    /// Starts a server.
    ///
    /// # Errors
    ///
    /// What is missing: usually the package.
    pub fn start() -> Result<Postgres, Missing> {
        Postgres::start_with(Options::default())
    }

    /// Starts a server with options.
    ///
    /// # Errors
    ///
    /// As [`start`](Postgres::start).
    pub fn start_with(options: Options) -> Result<Postgres, Missing> {
        let initdb = program("initdb")?;
        let user = user_for_root("postgres");
        let dir = Dir::new("postgres", user)?;
        let mut command = command(user, &initdb);
        let output = command
            .args([
                "--no-sync",
                "--auth=trust",
                "--username=postgres",
                "--encoding=UTF8",
            ])
            .args(["--no-instructions", "--locale=C", "--pgdata"])
            .arg(dir.0.join("data"))
            .output()
            .map_err(|error| told(&initdb, &error))?;
        if !output.status.success() {
            let why = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(Missing(format!("initdb failed: {why}")));
        }
        if let Some((certificate, key)) = &options.tls {
            for (name, text) in [("server.crt", certificate), ("server.key", key)] {
                write_for(user, &dir.0.join("data").join(name), text)?;
            }
        }
        let mut postgres = Postgres {
            server: None,
            port: free_port()?,
            options,
            dir,
        };
        postgres.run()?;
        Ok(postgres)
    }

    fn run(&mut self) -> Result<(), Missing> {
        let data = self.dir.0.join("data");
        let port = self.port.to_string();
        let mut settings = vec![
            "listen_addresses=127.0.0.1".to_owned(),
            format!("unix_socket_directories={}", self.dir.0.display()),
            "fsync=off".to_owned(),
            "max_connections=60".to_owned(),
        ];
        if self.options.tls.is_some() {
            settings.push("ssl=on".to_owned());
        }
        let own = self.options.settings.iter();
        settings.extend(own.map(|(name, value)| format!("{name}={value}")));
        let mut args = vec!["-D", data.to_str().unwrap_or_default(), "-p", &port];
        for setting in &settings {
            args.extend(["-c", setting]);
        }
        let user = user_for_root("postgres");
        let mut server =
            Supervised::start(IMMEDIATE, user, &program("postgres")?, &args, &self.dir)?;
        server.wait_until(|| self.status().is_some_and(|status| status == "ready"))?;
        self.server = Some(server);
        Ok(())
    }

    /// Ends the server at once, its sessions too, and starts it again at the same port.
    ///
    /// # Errors
    ///
    /// When it does not come back.
    pub fn restart(&mut self) -> Result<(), Missing> {
        self.server = None;
        self.run()
    }

    /// Stops all its processes where they are, as SIGSTOP does.
    ///
    /// # Errors
    ///
    /// When the server is not there.
    pub fn freeze(&self) -> Result<(), Missing> {
        signal_tree("STOP", &self.pid()?)
    }

    /// Lets its processes go on after [`freeze`](Postgres::freeze).
    ///
    /// # Errors
    ///
    /// When the server is not there.
    pub fn thaw(&self) -> Result<(), Missing> {
        signal_tree("CONT", &self.pid()?)
    }

    fn pid(&self) -> Result<String, Missing> {
        self.pid_file(0)
            .ok_or_else(|| Missing("the server is gone".to_owned()))
    }

    fn status(&self) -> Option<String> {
        self.pid_file(7)
    }

    /// A line of the file that the server keeps about itself.
    fn pid_file(&self, line: usize) -> Option<String> {
        let text = fs::read_to_string(self.dir.0.join("data/postmaster.pid")).ok()?;
        Some(text.lines().nth(line)?.trim().to_owned())
    }

    /// Its port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The directory of its Unix socket.
    #[must_use]
    pub fn socket_dir(&self) -> &Path {
        &self.dir.0
    }

    /// How libpq, and most that is built in its image, is told to connect.
    #[must_use]
    pub fn conninfo(&self) -> String {
        format!(
            "host=127.0.0.1 port={} user=postgres dbname=postgres",
            self.port
        )
    }

    /// The same as a URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }
}

/// A program of the newest PostgreSQL that is installed.
fn program(name: &str) -> Result<PathBuf, Missing> {
    let debian = Path::new("/usr/lib/postgresql");
    let mut versions: Vec<PathBuf> = fs::read_dir(debian)
        .map(|entries| {
            entries
                .flatten()
                .map(|entry| entry.path().join("bin"))
                .collect()
        })
        .unwrap_or_default();
    versions.sort();
    versions.reverse();
    let path = std::env::var_os("PATH").unwrap_or_default();
    versions
        .into_iter()
        .chain(std::env::split_paths(&path))
        .map(|dir| dir.join(name))
        .find(|file| file.is_file())
        .ok_or_else(|| Missing(format!("PostgreSQL is not installed (there is no {name})")))
}

fn command(user: Option<&str>, program: &Path) -> Command {
    match user {
        Some(user) => {
            let [first, rest @ ..] = become_user(user);
            let mut command = Command::new(first);
            command.args(rest).arg(program);
            command
        }
        None => Command::new(program),
    }
}

/// A file that only `user` may read.
pub(crate) fn write_for(user: Option<&str>, file: &Path, text: &str) -> Result<(), Missing> {
    fs::write(file, text).map_err(|error| told(file, &error))?;
    let mut commands = vec![Command::new("chmod")];
    commands[0].arg("600").arg(file);
    if let Some(user) = user {
        let mut chown = Command::new("chown");
        chown.arg(user).arg(file);
        commands.push(chown);
    }
    for mut command in commands {
        let status = command.status().map_err(|error| told(file, &error))?;
        if !status.success() {
            return Err(Missing(format!("{}: {status}", file.display())));
        }
    }
    Ok(())
}
