//! The findings without `cut-points`, on a multi-threaded runtime: a future is polled once, and
//! dropped. Quoted in `docs/found.md`.

use std::time::Duration;

use cut_points_found::{ms, postgres};
use sqlx::postgres::{PgAdvisoryLock, PgConnection, PgPool, PgPoolCopyExt as _, PgPoolOptions};
use sqlx::{Connection as _, Either};

/// Polls a future once, then drops it, as a `select!` does whose other branch is ready.
async fn polled_once(future: impl Future) {
    tokio::select! {
        biased;
        _ = future => panic!("it was ready at once"),
        () = std::future::ready(()) => {}
    }
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
    let pool = pool_of_one().await;
    let mut connection = pool.acquire().await.unwrap();
    polled_once(connection.copy_in_raw("copy rows from stdin")).await;
    drop(connection);
    for _ in 0..3 {
        let lost = pool.acquire().await;
        assert!(matches!(lost, Err(sqlx::Error::PoolTimedOut)), "{lost:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlx_copy_finish() {
    let pool = pool_of_one().await;
    let mut copy = pool.copy_in_raw("copy rows from stdin").await.unwrap();
    copy.send(&b"1\n"[..]).await.unwrap();
    polled_once(copy.finish()).await;
    let one = sqlx::query_scalar::<_, i32>("select $1")
        .bind(1)
        .fetch_one(&pool)
        .await;
    println!("the next borrower selects 1 and gets {one:?}");
    assert!(one.is_err(), "{one:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlx_release_now() {
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
    let got = lock.try_acquire(other).await.unwrap();
    assert!(matches!(got, Either::Right(_)), "the lock was released");
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
    assert_eq!(receiver.len(), 0, "the message is still there");
    assert_eq!(receiver.try_recv(), Ok(None), "the message is still there");
}
