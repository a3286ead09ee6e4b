//! The ways to a server: Unix sockets, TLS, several hosts, pgbouncer.

use std::time::Duration;

use servers::PgBouncer;
use tokio_ctx_core::Context;
use tokio_ctx_db::postgres::Pool;
use tokio_postgres::{Config, NoTls};

use super::support::{connections, with_server};

const SOON: Duration = Duration::from_millis(60);

/// Cuts one query on `pool`; its connection survives.
async fn assert_cuts(pool: &Pool) {
    let ctx = Context::background();
    let mut db = pool.get(&ctx).await.unwrap();
    let soon = ctx.with_timeout(SOON);
    let work = db.under(&soon, async |c| {
        c.simple_query("select pg_sleep(650)").await
    });
    assert!(work.await.unwrap_err().cancelled().is_some());
    let next = db.under(&ctx, async |c| c.simple_query("select 7").await);
    next.await.unwrap().unwrap();
    assert_eq!(pool.counts().cleaned, 1, "{:?}", pool.counts());
}

#[test]
fn a_query_through_a_unix_socket_is_cut() {
    with_server(async |server| {
        let mut config = Config::new();
        config
            .host_path(server.postgres.socket_dir())
            .port(server.postgres.port())
            .user("postgres");
        assert_cuts(&Pool::new(connections(&config, 1), &config, NoTls)).await;
    });
}

#[test]
fn a_cancel_finds_its_server_among_several_hosts() {
    with_server(async |server| {
        let other = servers::Postgres::start().expect("a second one starts as the first did");
        let config = format!(
            "host=127.0.0.1,127.0.0.1,localhost port={},1,{} user=postgres",
            other.port(),
            server.postgres.port()
        );
        let config: Config = config.parse().unwrap();
        let pool = Pool::new(connections(&server.config, 1), &config, NoTls);
        assert_cuts(&pool).await;
    });
}

#[test]
fn a_query_behind_pgbouncer_is_cut() {
    with_server(async |server| {
        let Some(bouncer) = servers::or_skip(PgBouncer::start(server.postgres, 4)) else {
            return;
        };
        let config: Config = bouncer.conninfo().parse().unwrap();
        assert_cuts(&Pool::new(connections(&config, 4), &config, NoTls)).await;
    });
}

/// pgbouncer before 1.21 dies when something follows a query that is being cancelled.
#[test]
fn pgbouncer_survives_cuts_at_the_end_of_queries() {
    with_server(async |server| {
        let Some(bouncer) = servers::or_skip(PgBouncer::start(server.postgres, 4)) else {
            return;
        };
        let config: Config = bouncer.conninfo().parse().unwrap();
        let pool = Pool::new(connections(&config, 4), &config, NoTls);
        let one = async |pool: Pool, seed: u64| {
            for round in 0..100 {
                let ctx = Context::background();
                let mut db = pool.get(&ctx).await.unwrap();
                let micros = 200 + (seed * 7919 + round * 104_729) % 4_000;
                let soon = ctx.with_timeout(Duration::from_micros(micros));
                let sql = "select pg_sleep(0.002)";
                let work = db.under(&soon, async |c| c.simple_query(sql).await);
                if let Ok(answer) = work.await {
                    answer.expect("only its own context cuts it");
                }
            }
        };
        let (a, b, c, d) = (pool.clone(), pool.clone(), pool.clone(), pool.clone());
        tokio::join!(one(a, 1), one(b, 2), one(c, 3), one(d, 4));
        let counts = pool.counts();
        assert!(counts.cuts > 0, "nothing was cut: {counts:?}");
        assert_eq!(counts.cuts, counts.cleaned, "{counts:?}");
    });
}
