//! Promise 9: nothing hangs silently.

use std::time::Duration;

use futures_util::FutureExt as _;
use spawn_scoped::{ScopeOptions, root, scope};
use tokio_ctx_core::{Cancelled, Context, Reason};

use crate::support::Live;
use crate::trace::logged;

#[tokio::test(start_paused = true)]
async fn stragglers_are_reported_every_five_seconds_after_the_cancel() {
    let log = logged();
    let parent = Context::background().with_cancel();
    let line = line!() + 4;
    let result = ScopeOptions::<Cancelled>::new()
        .name("import")
        .run(&parent, async |s| {
            s.task().name("deaf").spawn(async |ctx| {
                ctx.done().await;
                tokio::time::sleep(Duration::from_secs(12)).await;
                Ok(())
            });
            tokio::time::sleep(Duration::from_secs(3)).await;
            parent.cancel_with("the client left");
            Ok(())
        })
        .await;
    assert!(result.is_ok());
    let reports = log.lines_with("a task goes on after its context ended");
    assert_eq!(reports.len(), 2, "{reports:?}");
    for (report, (age, since)) in reports.iter().zip([("8s", "5s"), ("13s", "10s")]) {
        assert!(report.contains("scope=import"), "{report}");
        assert!(report.contains("task=deaf"), "{report}");
        assert!(report.contains(&format!("{}:{line}:", file!())), "{report}");
        assert!(report.contains(&format!("age={age}")), "{report}");
        assert!(
            report.contains(&format!("since_cancel={since}")),
            "{report}"
        );
        assert!(report.contains("the client left"), "{report}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_scope_that_was_dropped_still_reports_its_stragglers() {
    let log = logged();
    let dropped = scope(&Context::background(), async |s| {
        s.task().name("left behind").spawn(async |_| {
            tokio::time::sleep(Duration::from_secs(11)).await;
            Ok::<_, Cancelled>(())
        });
        std::future::pending::<Result<(), Cancelled>>().await
    })
    .now_or_never();
    assert!(dropped.is_none());
    tokio::time::sleep(Duration::from_secs(20)).await;
    let reports = log.lines_with("left behind");
    assert_eq!(reports.len(), 2, "{reports:?}");
}

#[tokio::test(start_paused = true)]
async fn background_tasks_of_a_dropped_scope_are_reported_once() {
    let log = logged();
    let dropped = scope(&Context::background(), async |s| {
        for name in ["front task", "back task"] {
            let builder = s.task().name(name);
            let builder = match name {
                "back task" => builder.background(),
                _ => builder,
            };
            builder.spawn(async |_| {
                tokio::time::sleep(Duration::from_secs(8)).await;
                Ok::<_, Cancelled>(())
            });
        }
        std::future::pending::<Result<(), Cancelled>>().await
    })
    .now_or_never();
    assert!(dropped.is_none());
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(log.lines_with("front task").len(), 1);
    assert_eq!(log.lines_with("back task").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_goes_on_is_reported_as_well() {
    let log = logged();
    let parent = Context::background().with_cancel();
    let result = scope(&parent, async |_| {
        parent.cancel();
        tokio::time::sleep(Duration::from_secs(6)).await;
        Ok::<_, Cancelled>(())
    })
    .await;
    assert!(result.is_ok());
    assert_eq!(log.lines_with("the body of a scope goes on").len(), 1);
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
            .filter(|s| s.name() == Some("join_timeout test"))
            .collect();
        assert_eq!(mine.len(), 1);
        assert_eq!(mine[0].cause().unwrap().reason(), Reason::ScopeDropped);
        assert!(mine[0].to_string().contains("goes on after"), "{}", mine[0]);
    }
    release.send(()).unwrap();
    while root()
        .stragglers()
        .iter()
        .any(|s| s.name() == Some("join_timeout test"))
    {
        tokio::task::yield_now().await;
    }
}
