//! mysql_async 0.37 is not safe to drop: what happens then, and what to do instead.

use std::sync::LazyLock;
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, Pool};
use servers::MariaDb;
use tokio::time::timeout;
use tokio_ctx_core::interrupt::{Interrupt, Outcome};
use tokio_ctx_core::{Cancelled, Context};

/// Stopped by the process that watches this one.
static SERVER: LazyLock<Option<MariaDb>> = LazyLock::new(|| servers::or_skip(MariaDb::start()));

/// A connection that was used again after a dropped future answers something else.
#[tokio::test]
async fn a_connection_that_is_kept_after_a_drop_gives_wrong_answers() {
    let Some(server) = &*SERVER else { return };
    let mut wrong = Vec::new();
    for millis in [1, 2, 5, 10, 20, 50] {
        let mut conn = Conn::from_url(server.url()).await.unwrap();
        let slow = conn.query_first::<i64, _>("select sleep(0.1)");
        assert!(timeout(Duration::from_millis(millis), slow).await.is_err());
        for asked in [111, 222] {
            let answer = conn.query_first::<i64, _>(format!("select {asked}"));
            match timeout(Duration::from_secs(5), answer).await {
                Ok(Ok(Some(answer))) if answer == asked => {}
                answer => wrong.push(format!("select {asked}: {answer:?}")),
            }
        }
    }
    println!("{wrong:#?}");
    assert!(wrong.iter().any(|answer| answer.contains("Ok(Ok(Some(")));
}

// RECIPE
/// Runs `work` to its end; once `ctx` ends, KILL QUERY interrupts it until then (rule 13).
///
/// It is not safe to drop: close the connection then.
async fn under<T>(
    ctx: &Context,
    (conn, kills): (&mut Conn, &Pool),
    work: impl AsyncFnOnce(&mut Conn) -> T,
) -> Result<T, Cancelled> {
    let kill = format!("kill query {}", conn.id());
    let interrupt = Interrupt::new(async || {
        let mut spare = kills.get_conn().await?;
        spare.query_drop(&kill).await
    });
    match interrupt.run(ctx, work(conn)).await {
        Outcome::Finished(output) => Ok(output),
        Outcome::Refused(why) | Outcome::Stopped { why, .. } => Err(why),
        // The caller must close the connection: the work may run on.
        Outcome::Abandoned { why, .. } => Err(why),
    }
}
// END

/// Rule 13.
#[tokio::test]
async fn work_that_is_polled_to_its_end_gives_right_answers() {
    let Some(server) = &*SERVER else { return };
    let kills = Pool::new(Opts::from_url(&server.url()).unwrap());
    let root = Context::background();
    let mut conn = Conn::from_url(server.url()).await.unwrap();
    for asked in 0..50_i64 {
        let soon = root.with_timeout(Duration::from_millis(20));
        let slow = under(&soon, (&mut conn, &kills), async |c| {
            c.query_first::<i64, _>("select sleep(60)").await
        });
        assert!(slow.await.unwrap_err().is_timeout());
        let answer = conn.query_first::<i64, _>(format!("select {asked}"));
        assert_eq!(answer.await.unwrap(), Some(asked));
    }
    kills.disconnect().await.unwrap();
}
