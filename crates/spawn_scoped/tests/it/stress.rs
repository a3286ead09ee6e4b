//! Promise 8 again: thousands of scopes, dropped at random points, nested three deep.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt as _;
use spawn_scoped::scope;
use tokio_ctx_core::{Cancelled, Context};

use crate::soak_trees::{Expected, Kind, Live, Random, tree};
use crate::support::on_both;

#[test]
fn ten_thousand_scopes_dropped_at_random_points_leave_no_task_behind() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !info.payload().is::<Expected>() {
            usual(info);
        }
    }));
    let scopes = Arc::new(AtomicUsize::new(0));
    let seeds = Arc::new(AtomicUsize::new(0));
    while scopes.load(Ordering::Relaxed) < 10_000 {
        let (scopes, seeds) = (scopes.clone(), seeds.clone());
        on_both(move || {
            let (scopes, seeds) = (scopes.clone(), seeds.clone());
            async move {
                let live = Live::default();
                let inside = live.clone();
                let ctx = Context::background();
                let outer = scope(&ctx, async move |s| {
                    for _ in 0..100 {
                        let seed = seeds.fetch_add(1, Ordering::Relaxed) as u64;
                        let (live, scopes) = (inside.clone(), scopes.clone());
                        s.spawn(async move |ctx| {
                            let tree = tree(&ctx, Random::new(seed), live, scopes);
                            let panicked = std::panic::AssertUnwindSafe(tree).catch_unwind().await;
                            if let Err(payload) = panicked {
                                assert!(payload.is::<Expected>(), "seed {seed}");
                            }
                            Ok::<_, Cancelled>(())
                        });
                    }
                    Ok(())
                });
                outer.await.unwrap();
                assert_eq!(live.num(Kind::Task), 0, "{live}");
                // A thread of ours may hold the last handle of a context for a moment.
                let mut looks = 0;
                while live.count() > 0 {
                    looks += 1;
                    assert!(looks < 10_000, "still alive: {live}");
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
        });
    }
}
