//! Work of all kinds, the moment it is cut, and the query of the next user.

use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use servers::Postgres;
use tokio_ctx_core::Context;
use tokio_ctx_db::{Error, postgres};
use tokio_postgres::NoTls;
use tokio_postgres::error::SqlState;

use crate::pools::{Pool, Pools};
use crate::sqlx_work;

/// What was seen by all workers together.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) victims: AtomicU64,
    pub(crate) ended: AtomicU64,
    pub(crate) dropped: AtomicU64,
    pub(crate) in_transaction: AtomicU64,
    pub(crate) in_copy: AtomicU64,
    /// Connections that were lost to a COPY IN that was cut, or that the server refused:
    /// tokio-postgres can lose count of the answers then.
    pub(crate) lost_to_copy: AtomicU64,
}

/// How a piece of work is cut.
#[derive(Clone, Copy)]
enum Cut {
    /// Its context ends.
    End,
    /// Its future is dropped.
    Drop,
}

#[derive(Clone, Copy)]
enum Kind {
    Query(f64),
    Pipeline,
    CopyIn,
    /// A COPY IN that the server does not take.
    Refused,
    CopyOut,
}

type Worked = Result<(), tokio_postgres::Error>;

pub(crate) async fn prepare(pools: &Pools) {
    let ctx = Context::background();
    let mut db = pools.first().get(&ctx).await;
    let db = db.as_mut().expect("the server is there");
    let table = "create table storm (a text); create table kept (a int)";
    let made = db.under(&ctx, async |c| c.batch_execute(table).await);
    made.await
        .expect("no context ends")
        .expect("the server answers");
}

/// One piece of work, cut at a random moment, and then the query of the next user.
pub(crate) async fn cut_and_probe(
    pool: &Pool,
    seen: &Seen,
    is_restarting: bool,
    random: &mut fastrand::Rng,
) -> Result<(), String> {
    // Half of them are over at about the moment when they are cut: the race that counts.
    let at = Duration::from_micros(random.u64(..6_000));
    let cut = if random.bool() { Cut::End } else { Cut::Drop };
    let kind = match random.u32(..20) {
        0 => Kind::CopyIn,
        1 => Kind::CopyOut,
        2 => Kind::Refused,
        3..5 if !matches!(pool, Pool::Bounced(_)) => Kind::Pipeline,
        5..9 => Kind::Query(30.0),
        _ => Kind::Query(random.f64() * 0.006),
    };
    let is_copy = matches!(kind, Kind::CopyIn | Kind::Refused | Kind::CopyOut);
    // Behind pgbouncer a prepared statement, which COPY makes, lives for a transaction.
    let in_transaction = random.bool() || (is_copy && matches!(pool, Pool::Bounced(_)));
    // An error of the work, as text, and whether it says that a cancel has hit it.
    let worked = match pool {
        Pool::Direct(pool) | Pool::Bounced(pool) => {
            let root = Context::background();
            let db = pool.get(&root).await;
            let mut db = db.map_err(|error| error.to_string())?;
            let ended = limited(cut, at, async |ctx| {
                if in_transaction {
                    let work = db.transaction(ctx, async |tx| {
                        tx.simple_query("insert into storm values ('x')").await?;
                        work(tx, kind).await
                    });
                    work.await
                } else {
                    db.under(ctx, async |c| work(c, kind).await).await
                }
            });
            let ended = ended.await;
            if matches!(kind, Kind::CopyIn | Kind::Refused) {
                // Waits until it is clean or closed.
                let _ = db.under(&root, async |_| ()).await;
                let is_lost = u64::from(db.is_closed() && !is_restarting);
                seen.lost_to_copy.fetch_add(is_lost, Relaxed);
            }
            drop(db);
            ended.map(|ended| ended.map(|worked| worked.map_err(|error| told(&error))))
        }
        Pool::Sqlx(pool) => {
            let Kind::Query(seconds) = kind else {
                return Ok(());
            };
            let ended = limited(cut, at, async |ctx| {
                sqlx_work::work(pool, ctx, seconds, in_transaction).await
            });
            let ended = ended.await;
            ended.map(|ended| ended.map(|worked| worked.map_err(|error| told_by_sqlx(&error))))
        }
    };
    match cut {
        Cut::End => &seen.ended,
        Cut::Drop => &seen.dropped,
    }
    .fetch_add(1, Relaxed);
    seen.in_transaction
        .fetch_add(u64::from(in_transaction), Relaxed);
    seen.in_copy.fetch_add(u64::from(is_copy), Relaxed);
    match worked {
        // Dropped, or cut: what it was for.
        None | Some(Ok(Ok(()))) => {}
        Some(Err(error)) if error.cancelled().is_some() => {}
        Some(Err(error)) => return Err(error.to_string()),
        Some(Ok(Err((_, false)))) if matches!(kind, Kind::Refused) => {}
        // Nobody else may cancel it.
        Some(Ok(Err(error))) => note(error, seen)?,
    }
    for _ in 0..2 {
        let probed = match pool {
            Pool::Direct(pool) | Pool::Bounced(pool) => {
                let probed = probe(pool).await.map_err(|error| error.to_string())?;
                probed.map_err(|error| told(&error))
            }
            Pool::Sqlx(pool) => {
                let probed = sqlx_work::probe(pool)
                    .await
                    .map_err(|error| error.to_string())?;
                probed.map_err(|error| told_by_sqlx(&error))
            }
        };
        match probed {
            Ok(true) => {}
            Ok(false) => return Err("the next user is in a transaction".to_owned()),
            Err(error) => note(error, seen)?,
        }
    }
    Ok(())
}

/// Runs `work` until it is cut; `None` when it was dropped.
async fn limited<T>(cut: Cut, at: Duration, work: impl AsyncFnOnce(&Context) -> T) -> Option<T> {
    let root = Context::background();
    match cut {
        Cut::End => Some(work(&root.with_timeout(at)).await),
        Cut::Drop => tokio::time::timeout(at, work(&root)).await.ok(),
    }
}

async fn work(client: &postgres::Client, kind: Kind) -> Worked {
    match kind {
        Kind::Query(seconds) => {
            let sql = format!("select pg_sleep({seconds})");
            client.simple_query(&sql).await.map(drop)
        }
        Kind::Pipeline => {
            let sql = "select pg_sleep(0.001)";
            let [a, b, c] = [sql; 3].map(|sql| client.simple_query(sql));
            tokio::try_join!(a, b, c).map(drop)
        }
        Kind::CopyIn => {
            let mut sink = pin!(client.copy_in::<_, Bytes>("copy storm from stdin").await?);
            for _ in 0..20 {
                sink.send(Bytes::from_static(b"a line\n")).await?;
                sink.flush().await?;
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            sink.finish().await.map(drop)
        }
        Kind::Refused => {
            let refused = client.copy_in::<_, Bytes>("copy nothing from stdin").await;
            refused.map(drop)
        }
        Kind::CopyOut => {
            let sql = "copy (select repeat('x', 100) from generate_series(1, 20000)) to stdout";
            let mut stream = pin!(client.copy_out(sql).await?);
            while let Some(chunk) = stream.next().await {
                chunk?;
            }
            Ok(())
        }
    }
}

/// The next user: a query that nobody may cancel, and whether it is outside of a transaction.
///
/// # Panics
///
/// When the answer is that of another query: that is worse than any number of victims.
async fn probe(pool: &postgres::Pool) -> Result<Result<bool, tokio_postgres::Error>, Error> {
    static NUMBER: AtomicU64 = AtomicU64::new(1);
    let ctx = Context::background();
    let mut db = pool.get(&ctx).await?;
    let number = format!("probe {}", NUMBER.fetch_add(1, Relaxed));
    let sql = format!("select pg_sleep(0.001), now() = statement_timestamp(), '{number}'");
    let answer = db.under(&ctx, async |c| c.simple_query(&sql).await);
    Ok(answer.await?.map(|answer| {
        let rows = answer.iter().filter_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        let rows: Vec<_> = rows.collect();
        let [row] = rows[..] else {
            panic!("{number} was answered with {answer:?}");
        };
        assert!(
            row.len() == 3 && row.get(2) == Some(&*number),
            "{number} was answered with {answer:?}"
        );
        row.get(1) == Some("t")
    }))
}

/// What an error says, and whether it is that of a victim.
type Told = (String, bool);

fn told(error: &tokio_postgres::Error) -> Told {
    (
        error.to_string(),
        error.code() == Some(&SqlState::QUERY_CANCELED),
    )
}

fn told_by_sqlx(error: &sqlx::Error) -> Told {
    (error.to_string(), sqlx_work::is_victim(error))
}

/// A victim is counted; any other error is given back.
fn note((error, is_victim): Told, seen: &Seen) -> Result<(), String> {
    if is_victim {
        seen.victims.fetch_add(1, Relaxed);
        Ok(())
    } else {
        Err(error)
    }
}

/// Sessions that are not idle, once everything had the time to get so.
pub(crate) async fn left_behind(server: &Postgres) -> i64 {
    let (client, connection) = tokio_postgres::connect(&server.conninfo(), NoTls)
        .await
        .expect("the server is there");
    tokio::spawn(async move { drop(connection.await) });
    let sql = "select count(*) from pg_stat_activity
               where pid <> pg_backend_pid() and backend_type = 'client backend' and state <> 'idle'";
    let mut left = 0;
    for _ in 0..100 {
        left = client.query_one(sql, &[]).await.expect("it answers").get(0);
        if left == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    left
}
