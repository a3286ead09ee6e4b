//! A server with its own databases, and the counts that must return to where they were.

use std::sync::Arc;
use std::time::{Duration, Instant};

use examples::client::{Answer, Call};
use examples::db::Databases;
use examples::server::Server;
use tempfile::TempDir;
use tokio::runtime::Handle;
use tokio_ctx::{Context, Reason};

/// The bound of every wait; reached only when a promise is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Stage {
    pub(crate) server: Server,
    pub(crate) databases: Arc<Databases>,
    _folder: TempDir,
}

impl Stage {
    pub(crate) async fn new() -> Stage {
        let folder = tempfile::tempdir().unwrap();
        let databases = Arc::new(Databases::open_or_fill(folder.path()).unwrap());
        let ctx = Context::background();
        let server = Server::start(&ctx, Arc::clone(&databases)).await.unwrap();
        Stage {
            server,
            databases,
            _folder: folder,
        }
    }

    pub(crate) async fn call(&self, line: &str, headers: &[(&str, &str)]) -> Call {
        Call::send(self.server.address(), line, headers)
            .await
            .unwrap()
    }

    pub(crate) async fn get(&self, page: &str, headers: &[(&str, &str)]) -> Answer {
        self.call(&format!("GET {page}"), headers)
            .await
            .answer()
            .await
            .unwrap()
    }

    pub(crate) async fn raw(&self, bytes: &[u8]) -> Call {
        Call::send_bytes(self.server.address(), bytes)
            .await
            .unwrap()
    }

    /// The server still answers, all else is gone: its own task is the only one left.
    pub(crate) async fn check_idle(&self) {
        assert_eq!(self.get("/", &[]).await.status, 200);
        // The tasks of blocking threads are in no count of the runtime's, but in the journal.
        check_returns(0, || self.server.journal().running().len()).await;
        check_returns(1, tasks).await;
    }

    /// Stops the server and sees nothing outlive it.
    pub(crate) async fn check_stops(self) {
        let journal = Arc::clone(self.server.journal());
        let shutdown = self.server.shutdown(Reason::Shutdown).await;
        assert_eq!(shutdown.problem, None);
        assert_eq!(journal.running().len(), 0);
        check_returns(0, tasks).await;
    }
}

fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

async fn check_returns(to: usize, count: impl Fn() -> usize) {
    let until = Instant::now() + PATIENCE;
    while count() != to && Instant::now() < until {
        tokio::task::yield_now().await;
    }
    assert_eq!(count(), to);
}
