//! Promise 1: when `scope(..).await` returns, every task of it is finished.

use std::sync::{Arc, Weak};

use spawn_scoped::{Scope, scope};
use tokio::sync::oneshot;
use tokio_ctx_core::{Cancelled, Context, Reason};

use crate::support::{Live, on_both};

#[test]
fn captures_futures_and_contexts_are_gone_when_the_scope_returns() {
    on_both(|| async {
        let live = Arc::new(Live::default());
        let spy = live.clone();
        scope(&Context::background(), async |s| {
            for turn in 0..50 {
                let token = live.token();
                s.spawn(async move |ctx| {
                    let _held = (&token, ctx);
                    for _ in 0..turn % 3 {
                        tokio::task::yield_now().await;
                    }
                    Ok::<_, Cancelled>(())
                });
                let token = live.token();
                s.task().spawn_cancellable(async move {
                    let _held = token;
                    tokio::task::yield_now().await;
                    Ok(())
                });
                let token = live.token();
                s.spawn_blocking(move |_| {
                    drop(token);
                    Ok(())
                });
            }
            Ok(())
        })
        .await
        .unwrap();
        assert_eq!(spy.count(), 0);
    });
}

tokio_ctx_core::key! {
    /// Something whose life the test watches.
    pub(crate) Watched: Arc<()>
}

#[test]
fn the_contexts_of_tasks_are_gone_when_the_scope_returns() {
    on_both(|| async {
        // Often, because who leaves last may be about to let go of the scope.
        for _ in 0..300 {
            let value = Arc::new(());
            let weak: Weak<()> = Arc::downgrade(&value);
            let ctx = Context::background().with_value::<Watched>(value);
            scope(&ctx, async |s| {
                for _ in 0..8 {
                    s.spawn(async |ctx| {
                        tokio::task::yield_now().await;
                        assert!(ctx.value::<Watched>().is_some());
                        Ok::<_, Cancelled>(())
                    });
                    s.task().background().spawn(async |ctx| {
                        assert!(ctx.value::<Watched>().is_some());
                        Ok(())
                    });
                }
                Ok(())
            })
            .await
            .unwrap();
            drop(ctx);
            assert!(weak.upgrade().is_none());
        }
    });
}

#[test]
fn a_handle_that_is_dropped_does_not_detach_its_task() {
    on_both(|| async {
        let (tell, told) = oneshot::channel();
        scope(&Context::background(), async |s| {
            drop(s.spawn(async move |_| {
                tokio::task::yield_now().await;
                let _ = tell.send(());
                Ok::<_, Cancelled>(())
            }));
            Ok(())
        })
        .await
        .unwrap();
        let mut told = told;
        assert!(told.try_recv().is_ok());
    });
}

#[test]
fn tasks_spawned_while_the_scope_drains_are_joined_too() {
    on_both(|| async {
        let live = Arc::new(Live::default());
        let spy = live.clone();
        scope(&Context::background(), async |s: Scope<Cancelled>| {
            fn chain(s: Scope<Cancelled>, live: Arc<Live>, left: usize) {
                let token = live.token();
                let next = s.clone();
                s.spawn(async move |_| {
                    tokio::task::yield_now().await;
                    if left > 0 {
                        chain(next, live, left - 1);
                    }
                    drop(token);
                    Ok(())
                });
            }
            chain(s.clone(), live, 100);
            Ok(())
        })
        .await
        .unwrap();
        assert_eq!(spy.count(), 0);
    });
}

#[test]
fn a_spawn_after_the_end_is_refused_to_the_caller() {
    on_both(|| async {
        let escaped = scope(&Context::background(), async |s: Scope<Cancelled>| {
            Ok(s.clone())
        })
        .await
        .unwrap();
        let refused = escaped.spawn(async |_| Ok(())).await.unwrap_err();
        assert_eq!(refused.reason(), Reason::ScopeFinished);
        let refused = escaped.task().try_slot().unwrap_err();
        assert_eq!(refused.reason(), Reason::ScopeFinished);
    });
}

#[test]
fn an_escaped_context_ends_with_the_scope() {
    on_both(|| async {
        let escaped = scope(&Context::background(), async |s: Scope<Cancelled>| {
            Ok(s.context().clone())
        })
        .await
        .unwrap();
        assert_eq!(escaped.err().unwrap().reason(), Reason::ScopeFinished);
    });
}

#[test]
fn the_context_of_an_escaped_handle_ends_with_the_scope() {
    tokio_ctx_core::key! { Id: u32 }
    on_both(|| async {
        let with_values = Context::background().with_value::<Id>(7);
        for above in [&Context::background(), &with_values] {
            let escaped = scope(above, async |s: Scope<Cancelled>| Ok(s.clone()))
                .await
                .unwrap();
            let why = escaped.context().err().unwrap();
            assert_eq!(why.reason(), Reason::ScopeFinished);
        }
    });
}

#[test]
fn a_value_that_was_never_awaited_is_dropped_with_its_task() {
    on_both(|| async {
        let live = Arc::new(Live::default());
        let spy = live.clone();
        let task = scope(&Context::background(), async |s| {
            Ok::<_, Cancelled>(s.spawn(async move |_| Ok(live.token())))
        })
        .await
        .unwrap();
        assert_eq!(spy.count(), 1);
        drop(task.await.unwrap());
        assert_eq!(spy.count(), 0);
    });
}

#[test]
fn ten_thousand_tasks_are_joined() {
    on_both(|| async {
        let live = Arc::new(Live::default());
        let spy = live.clone();
        scope(&Context::background(), async |s| {
            for _ in 0..10_000 {
                let token = live.token();
                s.spawn(async move |_| {
                    tokio::task::yield_now().await;
                    drop(token);
                    Ok::<_, Cancelled>(())
                });
            }
            Ok(())
        })
        .await
        .unwrap();
        assert_eq!(spy.count(), 0);
    });
}
