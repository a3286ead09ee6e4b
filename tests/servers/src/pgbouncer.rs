//! pgbouncer in front of a PostgreSQL server.

use std::path::Path;

use crate::postgres::{Postgres, write_for};
use crate::supervised::{Dir, Missing, Supervised, free_port, listens, user_for_root};

const PROGRAM: &str = "/usr/sbin/pgbouncer";

/// pgbouncer with transaction pooling.
#[derive(Debug)]
pub struct PgBouncer {
    // Dropped first, so that the directory is no longer in use.
    server: Option<Supervised>,
    port: u16,
    dir: Dir,
}

impl PgBouncer {
    /// Starts it in front of `server`, with `pool_size` connections to it.
    ///
    /// # Errors
    ///
    /// What is missing: usually the package.
    pub fn start(server: &Postgres, pool_size: u32) -> Result<PgBouncer, Missing> {
        if !Path::new(PROGRAM).is_file() {
            return Err(Missing("pgbouncer is not installed".to_owned()));
        }
        let user = user_for_root("postgres");
        let dir = Dir::new("pgbouncer", user)?;
        let (port, at) = (free_port()?, dir.0.display());
        let users = dir.0.join("users.txt");
        write_for(user, &users, "\"postgres\" \"\"\n")?;
        let config = dir.0.join("pgbouncer.ini");
        let text = format!(
            "[databases]\n\
             postgres = host=127.0.0.1 port={} dbname=postgres user=postgres\n\
             [pgbouncer]\n\
             listen_addr = 127.0.0.1\n\
             listen_port = {port}\n\
             unix_socket_dir = {at}\n\
             auth_type = trust\n\
             auth_file = {at}/users.txt\n\
             pool_mode = transaction\n\
             default_pool_size = {pool_size}\n\
             max_client_conn = 200\n\
             ignore_startup_parameters = extra_float_digits,options\n",
            server.port()
        );
        write_for(user, &config, &text)?;
        let mut bouncer = PgBouncer {
            server: None,
            port,
            dir,
        };
        bouncer.run()?;
        Ok(bouncer)
    }

    fn run(&mut self) -> Result<(), Missing> {
        let config = self.dir.0.join("pgbouncer.ini");
        let args = [config.to_str().unwrap_or_default()];
        let user = user_for_root("postgres");
        let mut server = Supervised::start("TERM", user, Path::new(PROGRAM), &args, &self.dir)?;
        server.wait_until(|| listens(self.port))?;
        self.server = Some(server);
        Ok(())
    }

    /// Ends it, its connections too, and starts it again at the same port.
    ///
    /// # Errors
    ///
    /// When it does not come back.
    pub fn restart(&mut self) -> Result<(), Missing> {
        self.server = None;
        self.run()
    }

    /// How libpq, and most that is built in its image, is told to connect.
    #[must_use]
    pub fn conninfo(&self) -> String {
        format!(
            "host=127.0.0.1 port={} user=postgres dbname=postgres",
            self.port
        )
    }
}
