//! Promise 9: the live tree as data and as text.

use std::sync::Arc;
use std::time::Duration;

use spawn_scoped::{ScopeOptions, Snapshot, scope, snapshot};
use tokio::sync::Notify;
use tokio_ctx_core::{Cancelled, Context};

async fn settled(nested: impl Fn() -> bool) {
    while !nested() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_tree_shows_scopes_inside_tasks_inside_scopes() {
    let stop = Arc::new(Notify::new());
    let result = ScopeOptions::<Cancelled>::new()
        .name("tree test")
        .run(&Context::background(), async |s| {
            let stopped = stop.clone();
            s.task().name("request").spawn(async move |ctx| {
                scope(&ctx, async |inner| {
                    inner.task().name("query").spawn(async move |_| {
                        stopped.notified().await;
                        Ok::<_, Cancelled>(())
                    });
                    Ok(())
                })
                .await
            });
            settled(|| s.snapshot().scopes[0].scopes.len() == 1).await;
            tokio::time::sleep(Duration::from_secs(2)).await;

            let tree = s.snapshot();
            let outer = &tree.scopes[0];
            assert_eq!(outer.name.as_deref(), Some("tree test"));
            assert!(outer.opened_at.starts_with(file!()));
            assert_eq!(outer.ended, None);
            assert_eq!(outer.tasks[0].name.as_deref(), Some("request"));
            let inner = &outer.scopes[0];
            assert_eq!(inner.tasks[0].name.as_deref(), Some("query"));
            assert_eq!(inner.tasks[0].kind, "cooperative");
            assert_eq!(inner.tasks[0].age, Duration::from_secs(2));

            let text = tree.to_string();
            let lines: Vec<&str> = text.lines().collect();
            assert!(lines[0].starts_with("scope `tree test` ("), "{text}");
            assert!(
                lines[1].starts_with("  task `request` (cooperative, "),
                "{text}"
            );
            assert!(lines[2].starts_with("  scope ("), "{text}");
            assert!(
                lines[3].starts_with("    task `query` (cooperative, "),
                "{text}"
            );

            assert!(holds(&snapshot(), "tree test"), "{}", snapshot());
            stop.notify_one();
            Ok(())
        })
        .await;
    assert!(result.is_ok());
    assert!(!holds(&snapshot(), "tree test"), "{}", snapshot());
}

fn holds(tree: &Snapshot, name: &str) -> bool {
    tree.scopes
        .iter()
        .any(|scope| scope.name.as_deref() == Some(name))
}

#[cfg(feature = "serde")]
#[tokio::test]
async fn the_tree_serializes() {
    let result = scope(&Context::background(), async |s| {
        s.task().name("one").spawn(async |_| Ok::<_, Cancelled>(()));
        let json = serde_json::to_value(s.snapshot()).unwrap();
        assert_eq!(json["format_version"], 1);
        assert_eq!(json["scopes"][0]["tasks"][0]["name"], "one");
        assert_eq!(json["scopes"][0]["tasks"][0]["kind"], "cooperative");
        Ok(())
    })
    .await;
    assert!(result.is_ok());
}
