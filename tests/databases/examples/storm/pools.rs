//! The pools that are cut: a driver and a way to the server each.

use std::time::Duration;

use deadpool_postgres::Manager;
use servers::{PgBouncer, Postgres};
use sqlx::postgres::PgPoolOptions;
use tokio_ctx_core::Context;
use tokio_ctx_db::{Counts, Settings, postgres, sqlx_postgres};
use tokio_postgres::{Config, NoTls};

/// Connections in each of them: fewer than workers, so that they wait for each other.
const SIZE: usize = 4;

pub(crate) enum Pool {
    Direct(postgres::Pool),
    Bounced(postgres::Pool),
    Sqlx(sqlx_postgres::Pool),
}

pub(crate) struct Pools(Vec<Pool>);

impl Pools {
    pub(crate) async fn connect(server: &Postgres, bouncer: &PgBouncer) -> Pools {
        Pools(vec![
            Pool::Direct(deadpool(&server.conninfo())),
            Pool::Bounced(deadpool(&bouncer.conninfo())),
            Pool::Sqlx(sqlx(&format!("{}?sslmode=disable", server.url())).await),
        ])
    }

    pub(crate) fn choose(&self, random: &mut fastrand::Rng) -> &Pool {
        &self.0[random.usize(..self.0.len())]
    }

    pub(crate) fn first(&self) -> &postgres::Pool {
        let pools = self.0.iter();
        let mut pools = pools.filter_map(|pool| match pool {
            Pool::Direct(pool) => Some(pool),
            _ => None,
        });
        pools.next().expect("there is one")
    }

    pub(crate) fn each_counts(&self) -> impl Iterator<Item = (&'static str, Counts)> {
        self.0.iter().map(|pool| (pool.name(), pool.counts()))
    }

    /// Those of all pools together.
    pub(crate) fn counts(&self) -> Counts {
        let mut all = Counts::default();
        for (_, counts) in self.each_counts() {
            all.cuts += counts.cuts;
            all.cancels += counts.cancels;
            all.cleaned += counts.cleaned;
            all.lost_to_grace += counts.lost_to_grace;
            all.lost_to_cancel += counts.lost_to_cancel;
            all.lost_to_server += counts.lost_to_server;
            all.lost_to_shutdown += counts.lost_to_shutdown;
        }
        all
    }
}

impl Pool {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Pool::Direct(_) => "tokio-postgres",
            Pool::Bounced(_) => "tokio-postgres behind pgbouncer",
            Pool::Sqlx(_) => "sqlx",
        }
    }

    fn counts(&self) -> Counts {
        match self {
            Pool::Direct(pool) | Pool::Bounced(pool) => pool.counts(),
            Pool::Sqlx(pool) => pool.counts(),
        }
    }
}

/// As many cancels as there is work, since they are what is tested, and so much time that a busy
/// machine is no reason to lose a connection.
pub(crate) fn settings() -> Settings {
    Settings::default()
        .grace(Duration::from_secs(20))
        .cancel_timeout(Duration::from_secs(10))
        .cancels_at_once(SIZE)
        .cancels_per_second(1_000_000)
}

fn deadpool(conninfo: &str) -> postgres::Pool {
    let config: Config = conninfo.parse().expect("it is well-formed");
    let pool = deadpool_postgres::Pool::builder(Manager::new(config.clone(), NoTls))
        .max_size(SIZE)
        .build()
        .expect("it has a runtime");
    postgres::Pool::new(pool, &config, NoTls).with_settings(settings())
}

async fn sqlx(url: &str) -> sqlx_postgres::Pool {
    let pool = PgPoolOptions::new()
        .max_connections(SIZE as u32)
        .acquire_timeout(Duration::from_secs(60))
        .connect(url)
        .await
        .expect("the server is there");
    let pool = sqlx_postgres::Pool::new(&Context::background(), pool).await;
    let pool = pool.expect("the server is there");
    pool.with_settings(settings())
}
