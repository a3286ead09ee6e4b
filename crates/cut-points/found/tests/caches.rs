//! Caches: moka 0.12.16, quick_cache 0.6.24. Who waits for a load that was given up must not hang.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use cut_points::{Report, world};
use cut_points_found::{holds, ms};
use tokio::time::sleep;

async fn load() -> u32 {
    sleep(ms(3)).await;
    7
}

/// One caller is cut while another waits for it.
fn two_callers<C: Clone + Send + 'static>(
    make: impl Fn() -> C + 'static,
    get: impl AsyncGet<C> + Copy + 'static,
) -> Report {
    type Count = Arc<AtomicU32>;
    world(async move || (make(), Count::default(), Count::default()))
        .once()
        .tasks_may_outlive()
        .settle(ms(100))
        .check(async |(_, begun, got): &(C, Count, Count)| {
            let (begun, got) = (begun.load(Ordering::SeqCst), got.load(Ordering::SeqCst));
            assert_eq!(begun, got, "who waited hangs");
        })
        .drop_everywhere(async move |(cache, begun, got): &(C, Count, Count)| {
            let (theirs, begun, got) = (cache.clone(), Arc::clone(begun), Arc::clone(got));
            tokio::spawn(async move {
                sleep(ms(1)).await;
                begun.fetch_add(1, Ordering::SeqCst);
                got.fetch_add(get.get(theirs).await / 7, Ordering::SeqCst);
            });
            let ours = get.get(cache.clone()).await;
            sleep(ms(10)).await;
            if ours == 7 { Ok(()) } else { Err(ours) }
        })
}

trait AsyncGet<C>: Send {
    fn get(self, cache: C) -> impl Future<Output = u32> + Send;
}

impl<C, F: Fn(C) -> Fut + Send, Fut: Future<Output = u32> + Send> AsyncGet<C> for F {
    fn get(self, cache: C) -> impl Future<Output = u32> + Send {
        self(cache)
    }
}

#[test]
fn moka_loads_again_for_who_waits() {
    type Cache = moka::future::Cache<u32, u32>;
    holds(&two_callers(
        || Cache::new(8),
        |cache: Cache| async move { cache.get_with(1, load()).await },
    ));
}

#[test]
fn quick_cache_loads_again_for_who_waits() {
    type Cache = Arc<quick_cache::sync::Cache<u32, u32>>;
    holds(&two_callers(
        || Cache::new(quick_cache::sync::Cache::new(8)),
        |cache: Cache| async move {
            let loaded = cache.get_or_insert_async(&1, async { Ok::<_, Infallible>(load().await) });
            loaded.await.unwrap_or(0)
        },
    ));
}
