//! nginx between the clients and servers of ours.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::process::{Child, Command};

/// A proxy in front of the servers, which stops when this is dropped.
pub(crate) struct Nginx {
    _child: Child,
    directory: PathBuf,
    pub(crate) url: String,
}

impl Nginx {
    /// `None` if there is no nginx.
    pub(crate) async fn start(upstreams: &[&str]) -> Option<Nginx> {
        let directory = std::env::temp_dir().join(format!("clients-nginx-{}", std::process::id()));
        std::fs::create_dir_all(&directory).ok()?;
        let listener = TcpListener::bind("127.0.0.1:0").await.ok()?;
        let port = listener.local_addr().ok()?.port();
        drop(listener);
        let servers = upstreams.iter().map(|url| {
            let address = url.trim_start_matches("http://");
            format!("server {address};")
        });
        let config = include_str!("nginx.conf")
            .replace("DIRECTORY", &directory.to_string_lossy())
            .replace("PORT", &port.to_string())
            .replace("UPSTREAMS", &servers.collect::<String>());
        let file = directory.join("nginx.conf");
        std::fs::write(&file, config).ok()?;
        // Where Debian puts it is not on everybody's path.
        let path = std::env::var("PATH").unwrap_or_default();
        let child = Command::new("nginx")
            .env("PATH", format!("{path}:/usr/sbin"))
            .arg("-p")
            .arg(&directory)
            .arg("-c")
            .arg(&file)
            .kill_on_drop(true)
            .spawn()
            .ok()?;
        let url = format!("http://127.0.0.1:{port}");
        let started = Instant::now();
        while reqwest::get(format!("{url}/hello")).await.is_err() {
            if started.elapsed() > Duration::from_secs(10) {
                eprintln!("nginx does not start");
                return None;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Some(Nginx {
            _child: child,
            directory,
            url,
        })
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.directory));
    }
}
