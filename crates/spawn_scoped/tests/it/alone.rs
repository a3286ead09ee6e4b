//! Promise 18: one task can be ended alone, and those who await it see why.

use std::time::Duration;

use spawn_scoped::{ScopeOptions, scope};
use tokio_ctx_core::{Cancelled, Context, Reason};

use crate::settings::promise;
use crate::support::{AppError, Doomed, Live, Started, on_a_paused_clock, on_both, on_one_thread};

promise!(promise_18_one_task_is_ended_alone: ended_alone, ended_alone_before_a_shutdown);

async fn ended_alone() {
    let live = Live::default();
    let result = scope(&Context::background(), async |s| {
        let stop = Context::background().with_cancel();
        let token = live.token();
        let session = s.task().name("session").until(&stop);
        let session = session.spawn(async move |ctx| {
            let _held = token;
            Err::<(), _>(AppError::from(ctx.done().await))
        });
        let sibling = s.spawn(async |_| Ok(1));
        stop.cancel_with("logged out");
        let why = session.await.unwrap_err();
        assert_eq!(why.reason(), Reason::Cancelled);
        assert!(why.to_string().contains("logged out"));
        assert!(!s.context().is_done());
        Ok(sibling.await? + 1)
    })
    .await;
    assert_eq!(result.unwrap(), 2);
    assert_eq!(live.count(), 0);
}

fn ended_alone_before_a_shutdown() {
    on_one_thread(async || {
        let doomed = Doomed::new();
        let error = scope(&Context::background(), async |s| {
            let started = Started::default();
            let hang = started.clone().hang::<(), AppError>(());
            doomed.inside(|| s.spawn(async |_| hang.await));
            started.all(1).await;
            let stop = Context::background().with_cancel();
            let alone = s.task().until(&stop);
            let alone = alone.spawn(async |ctx| Err::<(), _>(AppError::from(ctx.done().await)));
            stop.cancel();
            assert_eq!(alone.await.unwrap_err().reason(), Reason::Cancelled);
            doomed.shut_down();
            // Only the lost task is a failure.
            Ok(())
        })
        .await
        .unwrap_err();
        assert!(matches!(&error, AppError::Stopped(why) if why.contains("dropped by its runtime")));
    });
}

#[test]
fn a_task_under_another_context_that_ends_fails_nothing() {
    on_both(|| async {
        for supervise in [false, true] {
            let mut options = ScopeOptions::<Cancelled>::new();
            if supervise {
                options = options.supervise();
            }
            let result = options
                .run(&Context::background(), async |s| {
                    let tenant = s.context().with_cancel();
                    let cooperative = s.task().under(&tenant);
                    let cooperative = cooperative.spawn(async |ctx| Err::<(), _>(ctx.done().await));
                    let cut = s.task().under(&tenant);
                    let cut = cut.spawn_cancellable(std::future::pending::<Result<(), _>>());
                    tenant.cancel_with("suspended");
                    assert!(
                        cooperative
                            .await
                            .unwrap_err()
                            .to_string()
                            .contains("suspended")
                    );
                    assert!(cut.await.unwrap_err().to_string().contains("suspended"));
                    // And a start under it is refused, without a failure.
                    let refused = s.task().under(&tenant).spawn(async |_| Ok(()));
                    assert!(refused.await.is_err());
                    Ok(())
                })
                .await;
            result.unwrap();
        }
    });
}

/// What ends with the scope is the scope's affair.
#[test]
fn the_scopes_end_reaches_a_task_with_an_end_of_its_own() {
    on_both(|| async {
        let parent = Context::background().with_cancel();
        let stop = Context::background().with_cancel();
        let result = scope(&parent, async |s| {
            let task = s.task().until(&stop);
            task.spawn(async |ctx| Err::<(), _>(ctx.done().await));
            parent.cancel_with("shutdown");
            Ok(())
        })
        .await;
        assert!(result.unwrap_err().to_string().contains("shutdown"));
    });
}

#[test]
fn a_background_task_with_an_end_of_its_own_is_asked_with_the_others() {
    on_a_paused_clock(async || {
        let stop = Context::background().with_cancel();
        let result = scope(&Context::background(), async |s| {
            let refresher = s.task().background().until(&stop);
            refresher.spawn(async |ctx| {
                let mut rounds = 0;
                while ctx
                    .run(tokio::time::sleep(Duration::from_secs(1)))
                    .await
                    .is_ok()
                {
                    rounds += 1;
                }
                assert_eq!(rounds, 2);
            });
            tokio::time::sleep(Duration::from_millis(2500)).await;
            Ok::<_, Cancelled>(())
        })
        .await;
        result.unwrap();
    });
}

#[test]
fn the_context_of_a_task_ended_alone_is_gone_when_the_scope_returns() {
    on_both(|| async {
        tokio_ctx_core::key! { Watched: std::sync::Arc<()> }
        let value = std::sync::Arc::new(());
        let held = std::sync::Arc::downgrade(&value);
        let ctx = Context::background().with_value::<Watched>(value);
        scope(&ctx, async |s| {
            let stop = Context::background().with_cancel();
            let task = s.task().until(&stop);
            task.spawn(async |ctx| {
                ctx.done().await;
            });
            stop.cancel();
            Ok::<_, Cancelled>(())
        })
        .await
        .unwrap();
        drop(ctx);
        assert_eq!(held.strong_count(), 0);
    });
}
