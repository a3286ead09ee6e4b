//! Promise 11: policies beside all-or-nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::{FutureExt as _, StreamExt as _, stream};
use spawn_scoped::policy::{collect_all, first_ok, map, race};
use spawn_scoped::{ScopeOptions, scope};
use tokio_ctx_core::{Cancelled, Context, Reason};

use crate::support::{AppError, Live, on_both};

#[test]
fn collect_all_returns_every_result_in_the_order_of_the_items() {
    on_both(|| async {
        let results = collect_all(&Context::background(), 0..20, async |ctx: Context, n| {
            for _ in 0..(20 - n) {
                tokio::task::yield_now().await;
            }
            assert!(!ctx.is_done());
            if n % 5 == 0 {
                Err(AppError::Broken("fives"))
            } else {
                Ok(n)
            }
        })
        .await;
        assert_eq!(results.len(), 20);
        for (n, result) in results.into_iter().enumerate() {
            match n % 5 {
                0 => assert_eq!(result, Err(AppError::Broken("fives"))),
                _ => assert_eq!(result, Ok(n)),
            }
        }
    });
}

#[test]
fn collect_all_under_an_ended_context_has_an_error_for_each() {
    on_both(|| async {
        let parent = Context::background().with_cancel();
        parent.cancel();
        let results = collect_all(&parent, 0..3, async |_, n| Ok::<_, Cancelled>(n)).await;
        assert_eq!(results.len(), 3);
        assert!(
            results
                .iter()
                .all(|r| r.as_ref().unwrap_err().reason() == Reason::Cancelled)
        );
    });
}

#[test]
fn the_first_success_stops_and_joins_the_others() {
    on_both(|| async {
        let live = Arc::new(Live::default());
        let spy = live.clone();
        let winner = first_ok(&Context::background(), 0..5, |ctx, n| {
            let token = live.token();
            async move {
                let _held = token;
                match n {
                    0 => Err(AppError::Broken("zero")),
                    3 => {
                        tokio::task::yield_now().await;
                        Ok(n)
                    }
                    _ => Err(ctx.done().await.into()),
                }
            }
        })
        .await;
        assert_eq!(winner.unwrap(), 3);
        assert_eq!(spy.count(), 0);
    });
}

#[test]
fn without_a_success_every_error_is_kept_in_order() {
    on_both(|| async {
        let names = ["a", "b", "c"];
        let errors = first_ok(&Context::background(), names, async |_, name| {
            Err::<(), _>(AppError::Broken(name))
        })
        .await
        .unwrap_err();
        assert_eq!(errors, names.map(AppError::Broken));
        let none: Result<(), Vec<AppError>> =
            first_ok(&Context::background(), [] as [u8; 0], async |_, _| Ok(())).await;
        assert_eq!(none.unwrap_err(), []);
    });
}

#[test]
fn a_race_is_decided_by_the_first_to_end_well_or_not() {
    on_both(|| async {
        let winner = race(
            &Context::background(),
            [true, false],
            async |ctx: Context, fails| {
                if fails {
                    return Err::<(), _>(AppError::Broken("fast"));
                }
                Err(ctx.done().await.into())
            },
        )
        .await;
        assert_eq!(winner.unwrap().unwrap_err(), AppError::Broken("fast"));
        let nobody = race(&Context::background(), [] as [u8; 0], async |_, _| {
            Ok::<_, AppError>(())
        })
        .await;
        assert!(nobody.is_none());
    });
}

#[test]
fn a_race_whose_parent_ends_says_so() {
    on_both(|| async {
        let parent = Context::background().with_cancel();
        parent.cancel();
        let result = race(&parent, [1, 2], async |_, n| Ok::<_, Cancelled>(n)).await;
        assert_eq!(result.unwrap().unwrap_err().reason(), Reason::Cancelled);
    });
}

#[test]
fn a_supervised_failure_is_reported_and_stops_nobody() {
    on_both(|| async {
        let report = ScopeOptions::new()
            .supervise()
            .run_reported(&Context::background(), async |s| {
                let failing = s.spawn(async |_| Err::<(), _>(AppError::Broken("one")));
                assert_eq!(failing.await.unwrap_err().reason(), Reason::TaskFailed);
                assert!(!s.context().is_done());
                Ok(s.spawn(async |_| Ok(2)).await?)
            })
            .await;
        assert_eq!(report.result.unwrap(), 2);
        assert_eq!(report.late[0].0, AppError::Broken("one"));
    });
}

#[test]
fn a_supervised_panic_is_still_resumed() {
    on_both(|| async {
        let panicked = std::panic::AssertUnwindSafe(ScopeOptions::new().supervise().run(
            &Context::background(),
            async |s| {
                s.spawn(async |_| -> Result<(), Cancelled> { panic!("bug") });
                Ok(())
            },
        ))
        .catch_unwind()
        .await;
        assert_eq!(*panicked.unwrap_err().downcast::<&str>().unwrap(), "bug");
    });
}

#[test]
fn map_is_ordered_and_bounded() {
    on_both(|| async {
        let running = Arc::new(AtomicUsize::new(0));
        let most = Arc::new(AtomicUsize::new(0));
        let (in_task, peak) = (running.clone(), most.clone());
        let values = map(&Context::background(), 0..100, 4, move |_ctx, n: usize| {
            let (running, most) = (in_task.clone(), peak.clone());
            async move {
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                for _ in 0..n % 7 {
                    tokio::task::yield_now().await;
                }
                running.fetch_sub(1, Ordering::SeqCst);
                Ok::<_, Cancelled>(n * 2)
            }
        })
        .await
        .unwrap();
        assert_eq!(values, (0..100).map(|n| n * 2).collect::<Vec<_>>());
        assert!((1..=4).contains(&most.load(Ordering::SeqCst)));
    });
}

#[test]
fn map_stops_at_the_first_error_and_takes_no_more_items() {
    on_both(|| async {
        let taken = Arc::new(AtomicUsize::new(0));
        let count = taken.clone();
        let endless = (0..).inspect(move |_| {
            count.fetch_add(1, Ordering::SeqCst);
        });
        let error = map(&Context::background(), endless, 2, async |_, n: u32| {
            if n == 5 {
                Err(AppError::Broken("five"))
            } else {
                Ok(n)
            }
        })
        .await
        .unwrap_err();
        assert_eq!(error, AppError::Broken("five"));
        assert!(taken.load(Ordering::SeqCst) <= 8);
    });
}

#[test]
fn a_stream_of_tasks_is_buffered_in_order() {
    on_both(|| async {
        let prefix = String::from("n");
        let text = scope(&Context::background(), async |s| {
            let tasks = stream::iter(0..4).map(|n: u8| s.spawn(async move |_| Ok(n + 1)));
            let mut mapped = tasks.buffered(2);
            let mut text = String::new();
            while let Some(n) = mapped.next().await {
                text.push_str(&format!("{prefix}{} ", n?));
            }
            Ok::<_, Cancelled>(text)
        })
        .await;
        assert_eq!(text.unwrap(), "n1 n2 n3 n4 ");
    });
}
