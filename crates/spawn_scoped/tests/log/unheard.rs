//! Promises 7 and 17: what nobody looks at is said in the log, and nothing else is.

use spawn_scoped::{ScopeOptions, Spawner, scope};
use tokio_ctx_core::{Cancelled, Context};

use crate::trace::logged;

#[tokio::test]
async fn an_isolated_failure_that_nobody_awaited_is_logged() {
    let log = logged();
    scope(&Context::background(), async |s| {
        let tasks: &Spawner = &s;
        drop(
            tasks
                .task()
                .name("load")
                .spawn(async |_| Err::<(), _>("no such row")),
        );
        drop(
            tasks
                .task()
                .name("bad")
                .spawn(async |_| panic!("bad client")),
        );
        Ok::<_, Cancelled>(())
    })
    .await
    .unwrap();
    let failed = log.lines_with("an isolated task failed, and nobody awaited it");
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert!(
        failed
            .iter()
            .any(|line| line.contains("load") && line.contains("no such row"))
    );
    let panicked = log.lines_with("an isolated task panicked, and nobody awaited it");
    assert_eq!(panicked.len(), 1, "{panicked:?}");
    assert!(panicked[0].contains("bad client") && panicked[0].contains("unheard.rs"));
}

#[tokio::test]
async fn what_was_awaited_is_not_logged() {
    let log = logged();
    scope(&Context::background(), async |s| {
        let failed = s.spawner().isolated(async |_| Err::<(), _>("no such row"));
        assert!(failed.await?.is_err());
        let panicked = s.spawner().isolated(async |_| panic!("bad client"));
        assert!(panicked.await.is_err());
        Ok::<_, Cancelled>(())
    })
    .await
    .unwrap();
    assert_eq!(log.lines_with("isolated"), [""; 0]);
}

#[tokio::test]
async fn an_orderly_end_is_no_failure() {
    let log = logged();
    let parent = Context::background().with_cancel();
    scope(&parent, async |s| {
        let tasks = s.spawner();
        drop(tasks.isolated(async |ctx| Err::<(), _>(ctx.done().await)));
        drop(tasks.isolated(async |ctx| {
            let why = ctx.done().await;
            Err::<(), _>(format!("the connection ended: {why}"))
        }));
        drop(tasks.task().spawn_cancellable(std::future::pending::<()>()));
        let background = tasks.task().background();
        drop(background.spawn(async |ctx| Err::<(), _>(ctx.done().await)));
        tokio::task::yield_now().await;
        parent.cancel_with("shutdown");
        // A failure of its own is one at any time.
        Ok::<_, Cancelled>(())
    })
    .await
    .unwrap();
    assert_eq!(log.lines_with("isolated"), [""; 0]);
}

#[tokio::test]
async fn a_failure_of_its_own_after_the_end_is_logged() {
    let log = logged();
    let parent = Context::background().with_cancel();
    scope(&parent, async |s| {
        drop(s.spawner().isolated(async |ctx| {
            ctx.done().await;
            Err::<(), _>("commit failed")
        }));
        tokio::task::yield_now().await;
        parent.cancel();
        Ok::<_, Cancelled>(())
    })
    .await
    .unwrap();
    let failed = log.lines_with("commit failed");
    assert_eq!(failed.len(), 1, "{failed:?}");
}

#[tokio::test]
async fn a_refusal_that_nobody_looked_at_is_logged() {
    let log = logged();
    let result = ScopeOptions::<Cancelled>::new()
        .limit(1)
        .supervise()
        .run(&Context::background(), async |s| {
            let slot = s.slot().await?;
            drop(s.task().name("eleventh").spawn(async |_| Ok(())));
            let looked_at = s.task().name("looked at").spawn(async |_| Ok(()));
            assert!(looked_at.await.is_err());
            drop(slot);
            s.cancel_with("done");
            drop(s.task().name("too late").spawn(async |_| Ok(())));
            Ok(())
        })
        .await;
    result.unwrap();
    let refused = log.lines_with("a task was refused, and nobody looked at its handle");
    assert_eq!(refused.len(), 2, "{refused:?}");
    assert!(refused[0].contains("eleventh") && refused[0].contains("a limit of 1 task"));
    assert!(refused[1].contains("too late") && refused[1].contains("done"));
    assert!(refused.iter().all(|line| line.contains("unheard.rs")));
}
