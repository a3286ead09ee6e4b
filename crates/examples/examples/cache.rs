//! A library with an async trait, a background refresher, and a constructor that takes a
//! `Spawner`; and a program that uses it.
//!
//! Run: `cargo run -p examples --example cache`
//!
//! The cache has no type parameter and knows nothing of the program's error type. Its loads go on
//! when their caller goes away, its refresher ends with the cache, and both end with the scope.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio_ctx::{Cancelled, Context, scope};

pub(crate) mod cache {
    use std::collections::HashMap;
    use std::fmt;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use tokio_ctx::{CancelGuard, Cancelled, Context, Spawner};

    #[derive(Debug)]
    pub(crate) enum LoadError {
        NotFound,
        Cancelled(Cancelled),
    }

    impl From<Cancelled> for LoadError {
        fn from(cancelled: Cancelled) -> Self {
            LoadError::Cancelled(cancelled)
        }
    }

    impl fmt::Display for LoadError {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            match self {
                LoadError::NotFound => f.write_str("no such key"),
                LoadError::Cancelled(why) => why.fmt(f),
            }
        }
    }

    #[tonic::async_trait]
    pub(crate) trait Backend: Send + Sync + 'static {
        async fn load(&self, ctx: &Context, key: &str) -> Result<u32, LoadError>;
    }

    type Map = Mutex<HashMap<String, u32>>;

    pub(crate) struct Cache {
        map: Arc<Map>,
        backend: Arc<dyn Backend>,
        tasks: Spawner,
        /// Dropped with the cache, it ends the refresher and nothing else.
        _refreshes: CancelGuard,
    }

    impl Cache {
        pub(crate) fn new(tasks: &Spawner, every: Duration, backend: impl Backend) -> Cache {
            let (map, backend) = (Arc::<Map>::default(), Arc::new(backend));
            // ctx-lint: allow(background-outside-root) the refreshes end with the cache
            let refreshes = Context::background().with_cancel();
            let (cached, loader) = (map.clone(), backend.clone());
            let refresher = tasks.task().name("cache refresher").background();
            refresher.until(&refreshes).spawn(async move |ctx| {
                while ctx.run(tokio::time::sleep(every)).await.is_ok() {
                    refresh(&ctx, &cached, &*loader).await;
                }
            });
            Cache {
                map,
                backend,
                tasks: tasks.clone(),
                _refreshes: refreshes,
            }
        }

        /// The load goes on when its caller goes away, and the next one finds the value.
        pub(crate) async fn get(&self, ctx: &Context, key: &str) -> Result<u32, LoadError> {
            if let Some(value) = self.map.lock().unwrap().get(key) {
                return Ok(*value);
            }
            let (map, backend) = (self.map.clone(), self.backend.clone());
            let (values, key) = (ctx.clone(), key.to_owned());
            let load = self.tasks.isolated(async move |life| {
                let ctx = values.detach_onto(&life);
                let value = backend.load(&ctx, &key).await?;
                map.lock().unwrap().insert(key, value);
                Ok::<_, LoadError>(value)
            });
            ctx.run(load).await?? // the end of the caller, and that of the load
        }
    }

    async fn refresh(ctx: &Context, map: &Map, backend: &dyn Backend) {
        let keys: Vec<String> = map.lock().unwrap().keys().cloned().collect();
        for key in keys {
            if let Ok(value) = backend.load(ctx, &key).await {
                map.lock().unwrap().insert(key, value);
            }
        }
    }
}

use cache::{Backend, Cache, LoadError};

/// Every load of a key gives the next number.
struct Rows(Arc<AtomicU32>);

#[tonic::async_trait]
impl Backend for Rows {
    async fn load(&self, ctx: &Context, key: &str) -> Result<u32, LoadError> {
        ctx.run(tokio::time::sleep(Duration::from_millis(10)))
            .await?;
        match key {
            "bad" => panic!("a bad row"),
            "none" => Err(LoadError::NotFound),
            _ => Ok(self.0.fetch_add(1, Ordering::Relaxed)),
        }
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), Cancelled> {
    let loads = Arc::new(AtomicU32::new(0));
    scope(&Context::background(), async |s| {
        let cache = Cache::new(&s, Duration::from_secs(1), Rows(loads.clone()));
        let ctx = s.context();
        assert!(matches!(cache.get(ctx, "a").await, Ok(0)));
        assert!(matches!(cache.get(ctx, "a").await, Ok(0)));
        assert!(matches!(
            cache.get(ctx, "none").await,
            Err(LoadError::NotFound)
        ));
        // A panic in the backend is an error of this load, and of nothing else.
        let bad = cache.get(ctx, "bad").await.unwrap_err();
        assert!(bad.to_string().contains("a bad row"), "{bad}");
        // A caller in a hurry goes, and the load goes on.
        let hurried = ctx.with_timeout(Duration::from_millis(1));
        assert!(matches!(
            cache.get(&hurried, "slow").await,
            Err(LoadError::Cancelled(_))
        ));
        // ctx-lint: allow(bare-timer) nothing ends the demonstration
        tokio::time::sleep(Duration::from_millis(1500)).await;
        assert!(
            matches!(cache.get(ctx, "a").await, Ok(2 | 3)),
            "it was refreshed"
        );
        drop(cache);
        // The refresher ends with its cache.
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;
        assert!(s.unfinished().is_empty());
        Ok::<_, Cancelled>(())
    })
    .await?;
    println!("{} loads", loads.load(Ordering::Relaxed));
    Ok(())
}
