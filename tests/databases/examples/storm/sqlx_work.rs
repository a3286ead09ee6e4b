//! The same for sqlx.

use sqlx::{PgConnection, Row as _};
use tokio_ctx_core::Context;
use tokio_ctx_db::{Error, sqlx_postgres};

/// COPY is left out: a connection whose COPY was cut is closed.
pub(crate) async fn work(
    pool: &sqlx_postgres::Pool,
    ctx: &Context,
    seconds: f64,
    in_transaction: bool,
) -> Result<Result<(), sqlx::Error>, Error> {
    let mut db = pool.get(&Context::background()).await?;
    if in_transaction {
        let work = db.transaction(ctx, async |tx| {
            let insert = "insert into storm values ('x')";
            sqlx::query(insert).execute(&mut **tx).await?;
            sleep(tx, seconds).await
        });
        work.await
    } else {
        db.under(ctx, async |c| sleep(c, seconds).await).await
    }
}

async fn sleep(connection: &mut PgConnection, seconds: f64) -> Result<(), sqlx::Error> {
    let query = sqlx::query("select pg_sleep($1)").bind(seconds);
    query.execute(connection).await.map(drop)
}

/// The next user: a query that nobody may cancel, and whether it is outside of a transaction.
pub(crate) async fn probe(pool: &sqlx_postgres::Pool) -> Result<Result<bool, sqlx::Error>, Error> {
    let ctx = Context::background();
    let mut db = pool.get(&ctx).await?;
    db.under(&ctx, async |c| {
        let sql = "select pg_sleep(0.001), now() = statement_timestamp()";
        sqlx::raw_sql(sql).fetch_one(c).await?.try_get(1)
    })
    .await
}

/// Whether the server says that a cancel has hit it.
pub(crate) fn is_victim(error: &sqlx::Error) -> bool {
    let code = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| code == "57014")
}
