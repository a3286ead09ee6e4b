//! The findings without `cut-points`, on a multi-threaded runtime: a future is polled once, and
//! dropped. Quoted in `docs/appendix/found-reports.md`.

use std::time::Duration;

use cut_points_found::{ms, postgres};
use sqlx::postgres::{PgAdvisoryLock, PgConnection, PgPool, PgPoolCopyExt as _, PgPoolOptions};
use sqlx::{Connection as _, Either};

/// Polls a future once, then drops it, as a `select!` does whose other branch is ready.
async fn polled_once(future: impl Future) {
    tokio::select! {
        biased;
        _ = future => {} // a server may answer before the first poll is over
        () = std::future::ready(()) => {}
    }
}

/// Tries again where the server was faster than the drop.
async fn shows(attempt: impl AsyncFn() -> bool) {
    for _ in 0..20 {
        if attempt().await {
            return;
        }
    }
    panic!("it did not show in 20 tries");
}

fn url() -> String {
    let (host, port) = postgres();
    format!("postgres://postgres@{host}:{port}/postgres")
}

async fn pool_of_one() -> PgPool {
    let options = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(Duration::from_secs(2));
    let pool = options.connect(&url()).await.expect("the pool connects");
    let table = sqlx::query("create temporary table rows(x int)")
        .execute(&pool)
        .await;
    table.expect("a table");
    pool
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlx_copy_in_raw() {
    shows(async || {
        let pool = pool_of_one().await;
        let mut connection = pool.acquire().await.unwrap();
        polled_once(connection.copy_in_raw("copy rows from stdin")).await;
        drop(connection);
        let lost = matches!(pool.acquire().await, Err(sqlx::Error::PoolTimedOut));
        lost && matches!(pool.acquire().await, Err(sqlx::Error::PoolTimedOut))
    })
    .await;
}

/// The same without polling by hand: the table is locked, and a time limit strikes.
#[tokio::test(flavor = "multi_thread")]
async fn sqlx_copy_in_raw_with_a_time_limit() {
    let mut admin = PgConnection::connect(&url()).await.unwrap();
    sqlx::query("create table waits(x int)")
        .execute(&mut admin)
        .await
        .unwrap();
    let pool = pool_of_one().await;
    let mut transaction = admin.begin().await.unwrap();
    let lock = sqlx::query("lock table waits in access exclusive mode");
    lock.execute(&mut *transaction).await.unwrap();
    let copy = async {
        pool.copy_in_raw("copy waits from stdin")
            .await?
            .finish()
            .await
    };
    assert!(
        tokio::time::timeout(ms(500), copy).await.is_err(),
        "it did not wait"
    );
    transaction.rollback().await.unwrap();
    for _ in 0..3 {
        let lost = pool.acquire().await;
        assert!(matches!(lost, Err(sqlx::Error::PoolTimedOut)), "{lost:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlx_copy_finish() {
    shows(async || {
        let pool = pool_of_one().await;
        let mut copy = pool.copy_in_raw("copy rows from stdin").await.unwrap();
        copy.send(&b"1\n"[..]).await.unwrap();
        polled_once(copy.finish()).await;
        let one = sqlx::query_scalar::<_, i32>("select $1")
            .bind(1)
            .fetch_one(&pool)
            .await;
        println!("the next borrower selects 1 and gets {one:?}");
        one.is_err()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlx_release_now() {
    shows(async || {
        let pool = pool_of_one().await;
        let lock = PgAdvisoryLock::new("nightly");
        let guard = lock.acquire(pool.acquire().await.unwrap()).await.unwrap();
        polled_once(guard.release_now()).await;
        drop(
            pool.acquire()
                .await
                .expect("the connection is back, and healthy"),
        );
        let other = PgConnection::connect(&url()).await.unwrap();
        let locked = matches!(lock.try_acquire(other).await.unwrap(), Either::Right(_));
        pool.close().await;
        locked
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn async_lock_barrier() {
    let barrier = async_lock::Barrier::new(2);
    polled_once(barrier.wait()).await;
    let alone = tokio::time::timeout(ms(500), barrier.wait()).await;
    assert!(alone.is_ok(), "it waits for a second one");
}

#[tokio::test(flavor = "multi_thread")]
async fn kanal_recv() {
    let (sender, receiver) = kanal::unbounded_async();
    tokio::select! {
        biased;
        _ = receiver.recv() => unreachable!(),
        sent = sender.send(7) => sent.unwrap(),
    }
    assert_eq!(receiver.try_recv(), Ok(None), "the message is still there");
}
