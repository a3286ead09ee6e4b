//! The service: its pools, its routes, and what it answers when something ends them.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use deadpool_postgres::{Manager, PoolError};
use tokio_ctx::Context;
use tokio_ctx::db::{self, postgres::Pool};
use tokio_ctx::tower::{ContextError, ContextLayer};
use tokio_postgres::{Config, NoTls};

/// Longer than anybody waits.
const SLOW: &str = "select pg_sleep(600)";

/// How long a request may take.
const TIMEOUT: Duration = Duration::from_secs(1);

/// One pool as the driver has it, and one whose connections are used under contexts.
#[derive(Clone)]
pub(crate) struct Pools {
    bare: deadpool_postgres::Pool,
    pub(crate) ours: Pool,
}

impl Pools {
    pub(crate) fn new(conninfo: &str) -> Result<Pools, Box<dyn std::error::Error + Send + Sync>> {
        let config: Config = conninfo.parse()?;
        let connections = || {
            let manager = Manager::new(config.clone(), NoTls);
            deadpool_postgres::Pool::builder(manager)
                .max_size(1)
                .build()
        };
        Ok(Pools {
            bare: connections()?,
            ours: Pool::new(connections()?, &config, NoTls),
        })
    }
}

pub(crate) fn router(server: &Context, pools: Pools) -> Router {
    Router::new()
        .route("/bare", get(bare))
        .route("/report", get(report))
        .route("/quick", get(quick))
        .route("/transfer", get(transfer))
        .route("/balance", get(balance))
        .layer(ContextLayer::new(server).default_timeout(TIMEOUT))
        .with_state(pools)
}

async fn bare(State(pools): State<Pools>) -> Result<(), Failed> {
    let client = pools.bare.get().await?;
    client.simple_query(SLOW).await?;
    Ok(())
}

async fn report(ctx: Context, State(pools): State<Pools>) -> Result<(), Failed> {
    let mut db = pools.ours.get(&ctx).await?;
    db.under(&ctx, async |c| c.simple_query(SLOW).await)
        .await??;
    Ok(())
}

async fn quick(ctx: Context, State(pools): State<Pools>) -> Result<String, Failed> {
    let mut db = pools.ours.get(&ctx).await?;
    let row = db.under(&ctx, async |c| c.query_one("select 42", &[]).await);
    Ok(row.await??.get::<_, i32>(0).to_string())
}

/// Money leaves one account, and then it takes too long.
async fn transfer(ctx: Context, State(pools): State<Pools>) -> Result<(), Failed> {
    let mut db = pools.ours.get(&ctx).await?;
    let moved = db.transaction(&ctx, async |tx| {
        tx.execute("update accounts set cents = cents - 500 where id = 1", &[])
            .await?;
        tx.simple_query(SLOW).await?;
        tx.execute("update accounts set cents = cents + 500 where id = 2", &[])
            .await
    });
    moved.await??;
    Ok(())
}

async fn balance(ctx: Context, State(pools): State<Pools>) -> Result<String, Failed> {
    let mut db = pools.ours.get(&ctx).await?;
    let cents = db.under(&ctx, async |c| {
        c.batch_execute(
            "create table if not exists accounts (id int primary key, cents bigint);
             insert into accounts values (1, 1000), (2, 0) on conflict do nothing",
        )
        .await?;
        c.query_one("select cents from accounts where id = 1", &[])
            .await
    });
    Ok(cents.await??.get::<_, i64>(0).to_string())
}

/// Why a request has no answer: its context ended, or the database failed.
pub(crate) enum Failed {
    Cancelled(ContextError),
    Database,
}

impl From<db::Error> for Failed {
    fn from(error: db::Error) -> Failed {
        match error.cancelled() {
            Some(why) => Failed::Cancelled(why.clone().into()),
            None => Failed::Database,
        }
    }
}

impl From<tokio_postgres::Error> for Failed {
    fn from(_: tokio_postgres::Error) -> Failed {
        Failed::Database
    }
}

impl From<PoolError> for Failed {
    fn from(_: PoolError) -> Failed {
        Failed::Database
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        match self {
            Failed::Cancelled(error) => error.into_response(),
            Failed::Database => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        }
    }
}
