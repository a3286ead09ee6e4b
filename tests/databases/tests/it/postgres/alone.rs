//! What tokio-postgres and deadpool do alone when a future is dropped: the left column of
//! `docs/appendix/drivers.md`. A test that fails here says that a driver has become better.

use std::time::Duration;

use bytes::Bytes;
use deadpool_postgres::Object;
use tokio::time::{Instant, timeout};
use tokio_postgres::NoTls;
use tokio_postgres::error::SqlState;

use super::support::{Server, connections, first, with_server};

const SOON: Duration = Duration::from_millis(60);

async fn dropped(client: &Object, sql: &str) {
    let query = timeout(SOON, client.simple_query(sql)).await;
    assert!(query.is_err(), "it was to be dropped");
}

fn pool(server: &Server) -> deadpool_postgres::Pool {
    connections(&server.config, 1)
}

#[test]
fn a_dropped_query_runs_on_and_the_next_user_waits_for_it() {
    with_server(async |server| {
        const SLEEP: &str = "select pg_sleep(1.01)";
        let pool = pool(&server);
        let began = Instant::now();
        dropped(&pool.get().await.unwrap(), SLEEP).await;
        assert_eq!(server.running(SLEEP).await, 1);
        let next = pool.get().await.unwrap();
        next.simple_query("select 1").await.unwrap();
        assert!(began.elapsed() >= Duration::from_secs(1));
    });
}

#[test]
fn a_cancel_before_the_reuse_hits_the_next_query() {
    with_server(async |server| {
        let pool = pool(&server);
        for _ in 0..500 {
            let client = pool.get().await.unwrap();
            let token = client.cancel_token();
            let query = client.simple_query("select pg_sleep(0.003)");
            let _ = timeout(Duration::from_millis(2), query).await;
            token.cancel_query(NoTls).await.unwrap();
            drop(client);
            let next = pool.get().await.unwrap();
            match next.simple_query("select pg_sleep(0.005)").await {
                Err(error) if error.code() == Some(&SqlState::QUERY_CANCELED) => return,
                next => drop(next.unwrap()),
            }
        }
        panic!("none of 500 was hit");
    });
}

#[test]
fn a_copy_that_is_refused_leaves_an_answer_for_the_next_query() {
    with_server(async |server| {
        for number in 0..50 {
            // Another one each time, since the driver may find out and close it.
            let pool = pool(&server);
            let client = pool.get().await.unwrap();
            let copy = client
                .copy_in::<_, Bytes>("copy of_nothing from stdin")
                .await;
            assert!(copy.is_err());
            drop(client);
            let Ok(next) = pool.get().await else { continue };
            let number = format!("{number}");
            let answer = next.simple_query(&format!("select {number}")).await;
            let is_own = answer.is_ok_and(|answer| first(&answer) == Some(&*number));
            if !is_own {
                return;
            }
        }
        panic!("each of 50 had its own answer");
    });
}
