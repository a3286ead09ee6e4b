//! Promises 7 and 17: what nobody looks at is said in the log, and nothing else is.

use spawn_scoped::{ScopeOptions, Spawner, TaskFailure, scope};
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

/// A line that somebody wants to see in the log, and what would hide it.
const FORGED: &str = "row\nERROR paid\u{1b}[2J \u{202e}";
const ESCAPED: &str = "row\\nERROR paid\\u{1b}[2J \\u{202e}";

#[tokio::test]
async fn names_errors_and_panics_are_one_line() {
    let log = logged();
    let options = ScopeOptions::<Cancelled>::new().name(FORGED);
    let root = Context::background();
    let ran = options.run(&root, async |s| {
        let tasks = s.spawner();
        drop(tasks.isolated(async |_| Err::<(), _>(FORGED)));
        drop(tasks.isolated(async |_| panic!("{FORGED}")));
        drop(
            tasks
                .task()
                .name(FORGED)
                .spawn(async |_| Err::<(), _>("no")),
        );
        drop(tasks.defer(async |_| Err::<(), _>(FORGED)));
        drop(tasks.defer(async |_| panic!("{FORGED}")));
        Ok(())
    });
    ran.await.unwrap();
    let lines = log.lines_with("");
    assert_eq!(lines.len(), 5, "{lines:?}");
    for line in lines {
        assert!(line.contains(ESCAPED), "{line:?}");
        assert!(!line.contains(char::is_control) && !line.contains('\u{202e}'));
    }
}

#[tokio::test]
async fn what_is_shown_of_a_task_is_one_line() {
    let root = Context::background();
    let failed = scope(&root, async |s| {
        let stays = s.task().name(FORGED).spawn(async |ctx| {
            ctx.done().await;
            Ok::<_, std::io::Error>(())
        });
        assert_eq!(stays.name(), Some(ESCAPED));
        let straggler = s.unfinished()[0].to_string();
        assert!(straggler.contains(ESCAPED) && !straggler.contains('\n'));
        let tree = s.snapshot().to_string();
        assert!(
            tree.contains(ESCAPED) && tree.lines().count() == 2,
            "{tree}"
        );
        let fails = s.task().name(FORGED);
        let fails = fails.spawn(async |_| Err::<(), _>(std::io::Error::other(FORGED)));
        let why = fails.await.unwrap_err();
        let failure: &TaskFailure = why.cause().unwrap();
        assert_eq!(failure.name(), Some(ESCAPED));
        assert_eq!(failure.message(), Some(ESCAPED));
        assert_eq!(
            failure.to_string(),
            format!("task `{ESCAPED}` failed: {ESCAPED}")
        );
        Ok(())
    });
    // What the application gave is handed back as it was.
    assert_eq!(failed.await.unwrap_err().to_string(), FORGED);
}
