//! Pools: deadpool 0.13.1, bb8 0.9.1, mobc 0.9.0.

use std::convert::Infallible;
use std::pin::Pin;

use bb8::ManageConnection;
use cut_points::world;
use cut_points_found::{holds, ms};
use deadpool::managed::{self, Metrics, RecycleResult};
use tokio::time::sleep;

/// Makes numbers, slowly, and takes its time to look at them.
struct Manager;

async fn make() -> Result<u32, Infallible> {
    sleep(ms(2)).await;
    Ok(7)
}

impl managed::Manager for Manager {
    type Type = u32;
    type Error = Infallible;
    async fn create(&self) -> Result<u32, Infallible> {
        make().await
    }
    async fn recycle(&self, _: &mut u32, _: &Metrics) -> RecycleResult<Infallible> {
        sleep(ms(1)).await;
        Ok(())
    }
}

impl ManageConnection for Manager {
    type Connection = u32;
    type Error = Infallible;
    async fn connect(&self) -> Result<u32, Infallible> {
        make().await
    }
    async fn is_valid(&self, _: &mut u32) -> Result<(), Infallible> {
        sleep(ms(1)).await;
        Ok(())
    }
    fn has_broken(&self, _: &mut u32) -> bool {
        false
    }
}

type Later<'a> = Pin<Box<dyn Future<Output = Result<u32, Infallible>> + Send + 'a>>;

impl mobc::Manager for Manager {
    type Connection = u32;
    type Error = Infallible;
    fn connect<'a, 'b>(&'a self) -> Later<'b>
    where
        'a: 'b,
    {
        Box::pin(make())
    }
    fn check<'a, 'b>(&'a self, connection: u32) -> Later<'b>
    where
        'a: 'b,
    {
        Box::pin(async move {
            sleep(ms(1)).await;
            Ok(connection)
        })
    }
}

#[test]
fn deadpool_gets_its_object_back() {
    use deadpool::managed::Pool;

    let pool = async || {
        Pool::<Manager>::builder(Manager)
            .max_size(1)
            .build()
            .expect("a pool")
    };
    let report = world(pool)
        .check(async |pool: &Pool<Manager>| {
            let status = pool.status();
            assert_eq!(status.size, status.available, "{status:?}");
        })
        .drop_everywhere(async |pool: &Pool<Manager>| {
            for _ in 0..2 {
                let object = pool.get().await.map_err(|error| error.to_string())?;
                sleep(ms(1)).await;
                drop(object);
            }
            Ok::<_, String>(())
        });
    holds(&report);
}

#[test]
fn bb8_gets_its_connection_back() {
    use bb8::Pool;

    let pool = async || {
        let pool = Pool::builder()
            .max_size(1)
            .connection_timeout(ms(500))
            .test_on_check_out(true);
        pool.build(Manager).await.expect("a pool")
    };
    // It connects in a task of its own, which may outlive the call that asked for it.
    let report = world(pool)
        .settle(ms(50))
        .tasks_may_outlive()
        .check(async |pool: &Pool<Manager>| {
            let state = pool.state();
            assert_eq!(state.connections, state.idle_connections, "{state:?}");
        })
        .drop_everywhere(async |pool: &Pool<Manager>| {
            for _ in 0..2 {
                let connection = pool.get().await.map_err(|error| error.to_string())?;
                sleep(ms(1)).await;
                drop(connection);
            }
            Ok::<_, String>(())
        });
    holds(&report);
}

#[test]
fn mobc_gets_its_connection_back() {
    type Pool = mobc::Pool<Manager>;
    let pool = async || {
        let pool = Pool::builder()
            .max_open(1)
            .get_timeout(Some(ms(500)))
            .test_on_check_out(true);
        pool.build(Manager)
    };
    let report = world(pool)
        .settle(ms(50))
        .tasks_may_outlive()
        .check(async |pool: &Pool| assert_eq!(pool.state().await.in_use, 0))
        .drop_everywhere(async |pool: &Pool| {
            for _ in 0..2 {
                let connection = pool.get().await.map_err(|error| error.to_string())?;
                sleep(ms(1)).await;
                drop(connection);
            }
            Ok::<_, String>(())
        });
    holds(&report);
}
