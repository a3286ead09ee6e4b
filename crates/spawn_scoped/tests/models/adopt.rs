//! Promise 8: what a dropped scope leaves is waited for by the scope around.

use spawn_scoped::{Scope, scope};
use tokio_ctx_core::{Cancelled, Context, Reason};

use super::harness::{Live, Model, block_on, poll_once_and_drop};

#[test]
fn the_scope_around_waits_for_the_task_of_a_dropped_scope() {
    Model::of(500)
        .sees(&["handed over", "joined"])
        .explore(|seen| {
            let live = Live::default();
            // A handle keeps the memory of the dropped scope, and must not keep the
            // scope around open.
            let mut handle = None;
            let result = block_on(scope(
                &Context::background(),
                async |outer: Scope<Cancelled>| {
                    let token = live.clone();
                    let inner = poll_once_and_drop(scope(outer.context(), async |s| {
                        handle = Some(s.clone());
                        s.spawn(async move |_| {
                            drop(token);
                            Ok::<_, Cancelled>(())
                        });
                        Ok(())
                    }));
                    seen.mark(if inner.is_some() {
                        "joined"
                    } else {
                        "handed over"
                    });
                    Ok(())
                },
            ));
            assert!(result.is_ok());
            assert_eq!(live.count(), 0);
            drop(handle);
        });
}

#[test]
fn the_root_waits_for_the_task_of_a_dropped_scope() {
    Model::of(400).explore(|_| {
        let live = Live::default();
        let (token, mut handle) = (live.clone(), None);
        poll_once_and_drop(scope(&Context::background(), async |s| {
            handle = Some(s.clone());
            s.spawn(async move |_| {
                drop(token);
                Ok::<_, Cancelled>(())
            });
            Ok(())
        }));
        block_on(spawn_scoped::root().join());
        assert_eq!(live.count(), 0);
        drop(handle);
    });
}

#[test]
fn a_task_of_a_dropped_scope_is_asked_to_stop() {
    Model::of(2_000).large().explore(|_| {
        let live = Live::default();
        let result = block_on(scope(
            &Context::background(),
            async |outer: Scope<Cancelled>| {
                let token = live.clone();
                poll_once_and_drop(scope(outer.context(), async |s| {
                    s.spawn(async move |ctx| {
                        let why = ctx.done().await;
                        assert_eq!(why.reason(), Reason::ScopeDropped);
                        drop(token);
                        Ok::<_, Cancelled>(())
                    });
                    std::future::pending::<Result<(), Cancelled>>().await
                }));
                Ok(())
            },
        ));
        assert!(result.is_ok());
        assert_eq!(live.count(), 0);
    });
}
