//! One server for all tests of this file, and what they ask of it.

use std::future::Future;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use deadpool_postgres::Manager;
use servers::Postgres;
use tokio_ctx_core::Context;
use tokio_ctx_db::Settings;
use tokio_ctx_db::postgres::{Connection, Pool};
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};

/// Stopped by the process that watches this one.
static SERVER: LazyLock<Option<Postgres>> = LazyLock::new(|| servers::or_skip(Postgres::start()));

/// More than anything here takes.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// A query that is never waited for to its end.
pub(super) const SLEEP: &str = "select pg_sleep(600)";

/// Runs `test` on a runtime of two threads with the server, where there is one.
pub(super) fn with_server<F: Future<Output = ()>>(test: impl FnOnce(Server) -> F) {
    let Some(server) = &*SERVER else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let mut config: Config = server.conninfo().parse().expect("it is well-formed");
    // Other tests run the same statements at the same time.
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("test {}", NEXT.fetch_add(1, Ordering::Relaxed));
    config.application_name(&name);
    runtime.block_on(async {
        let watcher = connect(&config).await;
        let test = test(Server {
            postgres: server,
            config,
            name,
            watcher,
        });
        let test = tokio::time::timeout(PATIENCE, test);
        test.await.expect("the test hangs");
    });
}

pub(super) struct Server {
    pub(super) postgres: &'static Postgres,
    pub(super) config: Config,
    /// What the sessions of this test are called at the server.
    name: String,
    /// A session that no test cuts.
    watcher: Client,
}

impl Server {
    /// A pool of `size` connections, with a grace that no test waits for.
    pub(super) fn pool(&self, size: usize) -> Pool {
        self.pool_with(size, &self.config)
    }

    /// The same with cancels that go to where `cancels` says.
    pub(super) fn pool_with(&self, size: usize, cancels: &Config) -> Pool {
        let settings = Settings::default()
            .grace(PATIENCE / 2)
            .cancel_timeout(PATIENCE / 2);
        Pool::new(connections(&self.config, size), cancels, NoTls).with_settings(settings)
    }

    /// How many sessions of the server run a statement that has `text` in it: of any test, so
    /// `text` has to be its own.
    pub(super) async fn running(&self, text: &str) -> i64 {
        let sql = "select count(*) from pg_stat_activity
                   where state = 'active' and pid <> pg_backend_pid() and query like $1";
        let row = self.watcher.query_one(sql, &[&format!("%{text}%")]).await;
        row.expect("the server answers").get(0)
    }

    /// Waits until that many sessions of this test run such a statement.
    pub(super) async fn wait_running(&self, text: &str, count: i64) {
        let sql = "select count(*) from pg_stat_activity
                   where state = 'active' and pid <> pg_backend_pid()
                   and query like $1 and application_name = $2";
        let text = format!("%{text}%");
        loop {
            let row = self.watcher.query_one(sql, &[&text, &self.name]).await;
            if row.expect("the server answers").get::<_, i64>(0) == count {
                return;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Whether a session is there.
    pub(super) async fn is_alive(&self, pid: i32) -> bool {
        let sql = "select exists (select from pg_stat_activity where pid = $1)";
        let row = self.watcher.query_one(sql, &[&pid]).await;
        row.expect("the server answers").get(0)
    }

    /// What one row of one column says.
    pub(super) async fn count(&self, sql: &str) -> i64 {
        let row = self.watcher.query_one(sql, &[]).await;
        row.expect("the server answers").get(0)
    }

    pub(super) async fn run(&self, sql: &str) {
        let ran = self.watcher.batch_execute(sql).await;
        ran.expect("the server answers");
    }
}

pub(super) fn connections(config: &Config, size: usize) -> deadpool_postgres::Pool {
    deadpool_postgres::Pool::builder(Manager::new(config.clone(), NoTls))
        .max_size(size)
        .build()
        .expect("it has a runtime")
}

pub(super) async fn connect(config: &Config) -> Client {
    let (client, connection) = config.connect(NoTls).await.expect("the server is there");
    tokio::spawn(async move { drop(connection.await) });
    client
}

/// Asserts that `db` has no transaction.
pub(super) async fn assert_idle(db: &mut Connection) {
    // In one message, which is one transaction where there was none.
    let sql = "select now() = statement_timestamp()";
    let ctx = Context::background();
    let answer = db.under(&ctx, async |c| c.simple_query(sql).await);
    let answer = answer.await.unwrap().unwrap();
    assert_eq!(first(&answer), Some("t"), "a transaction is open");
}

/// The first column of the first row.
pub(super) fn first(answer: &[SimpleQueryMessage]) -> Option<&str> {
    answer.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    })
}

/// The number of the session that `client` speaks to.
pub(super) async fn pid(client: &deadpool_postgres::Client) -> i32 {
    let row = client.query_one("select pg_backend_pid()", &[]).await;
    row.expect("the server answers").get(0)
}
