//! Promise 9: nothing hangs silently.

use std::rc::Rc;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use spawn_scoped::{ScopeOptions, root, scope};
use tokio_ctx_core::{Cancelled, Context};

use crate::support::Live;
use crate::trace::{Log, logged};

/// Shortens the period, which counts real time.
fn hasten() {
    spawn_scoped::testing::set_report_period(Duration::from_millis(20));
}

/// Goes on until the log has so many lines with this part: whatever waits for it ends by the
/// report that it is waited for.
async fn until_reported(log: &Rc<Log>, part: &'static str, num: usize) {
    let begun = Instant::now();
    while log.lines_with(part).len() < num {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "no report of {part}"
        );
        std::thread::sleep(Duration::from_millis(1));
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn stragglers_are_reported_again_and_again_after_the_cancel() {
    hasten();
    let log = Rc::new(logged());
    let parent = Context::background().with_cancel();
    let line = line!() + 5;
    let result = ScopeOptions::<Cancelled>::new()
        .name("import")
        .run(&parent, async |s| {
            let log = log.clone();
            s.task().name("deaf").spawn_local(async move |ctx| {
                ctx.done().await;
                until_reported(&log, "task=deaf", 2).await;
                Ok(())
            });
            tokio::time::sleep(Duration::from_secs(3)).await;
            parent.cancel_with("the client left");
            Ok(())
        });
    let local = tokio::task::LocalSet::new();
    assert!(local.run_until(result).await.is_ok());
    let reports = log.lines_with("a task still runs after its context ended");
    assert!(reports.len() >= 2, "{reports:?}");
    for report in &reports[..2] {
        assert!(report.contains("scope=import"), "{report}");
        assert!(report.contains("task=deaf"), "{report}");
        assert!(report.contains(&format!("{}:{line}:", file!())), "{report}");
        assert!(report.contains("age=3s"), "{report}");
        assert!(report.contains("since_cancel=0ns"), "{report}");
        assert!(report.contains("the client left"), "{report}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_scope_that_was_dropped_still_reports_its_stragglers() {
    hasten();
    let log = Rc::new(logged());
    let local = tokio::task::LocalSet::new();
    local
        .run_until(async {
            let waited = log.clone();
            let dropped = scope(&Context::background(), async |s| {
                s.task().name("left behind").spawn_local(async move |_| {
                    until_reported(&waited, "left behind", 2).await;
                    Ok::<_, Cancelled>(())
                });
                std::future::pending::<Result<(), Cancelled>>().await
            })
            .now_or_never();
            assert!(dropped.is_none());
            root().join().await;
        })
        .await;
    assert!(log.lines_with("left behind").len() >= 2);
}

#[tokio::test(start_paused = true)]
async fn background_tasks_of_a_dropped_scope_are_reported_too() {
    hasten();
    let log = Rc::new(logged());
    let local = tokio::task::LocalSet::new();
    local
        .run_until(async {
            let waited = log.clone();
            let dropped = scope(&Context::background(), async |s| {
                for name in ["front task", "back task"] {
                    let builder = s.task().name(name);
                    let builder = match name {
                        "back task" => builder.background(),
                        _ => builder,
                    };
                    let waited = waited.clone();
                    builder.spawn_local(async move |_| {
                        until_reported(&waited, "front task", 1).await;
                        until_reported(&waited, "back task", 1).await;
                        Ok::<_, Cancelled>(())
                    });
                }
                std::future::pending::<Result<(), Cancelled>>().await
            })
            .now_or_never();
            assert!(dropped.is_none());
            root().join().await;
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_background_task_that_does_not_stop_is_reported() {
    hasten();
    let log = Rc::new(logged());
    let local = tokio::task::LocalSet::new();
    let result = local
        .run_until(scope(&Context::background(), async |s| {
            let waited = log.clone();
            let task = s.task().name("stubborn flush").background();
            task.spawn_local(async move |_| {
                until_reported(&waited, "stubborn flush", 1).await;
                Ok::<_, Cancelled>(())
            });
            Ok(())
        }))
        .await;
    assert!(result.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_background_task_that_does_not_stop_is_aborted_after_the_grace() {
    let live = Live::default();
    let token = live.token();
    let begun = tokio::time::Instant::now();
    let result = ScopeOptions::<Cancelled>::new()
        .grace(Duration::from_secs(3))
        .run(&Context::background(), async |s| {
            s.task().background().spawn(async move |_| {
                let _held = token;
                std::future::pending::<Result<(), Cancelled>>().await
            });
            Ok(())
        })
        .await;
    assert!(result.is_ok());
    assert_eq!(live.count(), 0);
    assert_eq!(begun.elapsed(), Duration::from_secs(3));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_goes_on_is_reported_as_well() {
    hasten();
    let log = Rc::new(logged());
    let parent = Context::background().with_cancel();
    let result = scope(&parent, async |_| {
        parent.cancel();
        until_reported(&log, "the body of a scope still runs", 1).await;
        Ok::<_, Cancelled>(())
    })
    .await;
    assert!(result.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_scope_that_was_dropped_still_aborts_after_its_grace() {
    let _log = logged();
    let live = Live::default();
    let token = live.token();
    let dropped = ScopeOptions::<Cancelled>::new()
        .grace(Duration::from_secs(3))
        .run(&Context::background(), async |s| {
            s.spawn(async move |_| {
                let _held = token;
                std::future::pending::<Result<(), Cancelled>>().await
            });
            std::future::pending::<Result<(), Cancelled>>().await
        })
        .now_or_never();
    assert!(dropped.is_none());
    tokio::time::sleep(Duration::from_millis(2_900)).await;
    assert_eq!(live.count(), 1);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(live.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_grace_covers_the_scopes_that_were_taken_over() {
    let _log = logged();
    let live = Live::default();
    let token = live.token();
    let begun = tokio::time::Instant::now();
    let parent = Context::background().with_cancel();
    let result = ScopeOptions::<Cancelled>::new()
        .grace(Duration::from_secs(3))
        .run(&parent, async |s| {
            let inner = scope(s.context(), async |inner| {
                inner.spawn(async move |_| {
                    let _held = token;
                    std::future::pending::<Result<(), Cancelled>>().await
                });
                std::future::pending::<Result<(), Cancelled>>().await
            });
            assert!(inner.now_or_never().is_none());
            parent.cancel();
            Ok(())
        })
        .await;
    assert!(result.is_ok());
    assert_eq!(live.count(), 0);
    assert_eq!(begun.elapsed().as_secs(), 3);
}

#[tokio::test(start_paused = true)]
async fn join_timeout_lists_who_is_still_running() {
    let _log = logged();
    let (release, released) = tokio::sync::oneshot::channel::<()>();
    let dropped = scope(&Context::background(), async |s| {
        s.task().name("join_timeout test").spawn(async |_| {
            let _ = released.await;
            Ok::<_, Cancelled>(())
        });
        std::future::pending::<Result<(), Cancelled>>().await
    })
    .now_or_never();
    assert!(dropped.is_none());
    for _ in 0..3 {
        // Listed each time: a join that gave up hands them back.
        let stragglers = root()
            .join_timeout(Duration::from_secs(1))
            .await
            .unwrap_err();
        let mine: Vec<_> = stragglers
            .iter()
            .filter(|s| s.name.as_deref() == Some("join_timeout test"))
            .collect();
        assert_eq!(mine.len(), 1);
        let ended = mine[0].ended.as_deref().unwrap();
        assert!(ended.contains("its scope was dropped"), "{ended}");
        assert!(
            mine[0].to_string().contains("still runs after"),
            "{}",
            mine[0]
        );
    }
    release.send(()).unwrap();
    while root()
        .stragglers()
        .iter()
        .any(|s| s.name.as_deref() == Some("join_timeout test"))
    {
        tokio::task::yield_now().await;
    }
}
