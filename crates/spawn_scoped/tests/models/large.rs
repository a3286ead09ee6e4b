//! Too large for loom: a dozen tasks, three scopes inside them, a failure and a cancel.

use spawn_scoped::{Scope, scope};
use tokio_ctx_core::{Context, Reason};

use super::harness::{Failed, Live, Model, block_on, spawn};

/// Whatever comes first, nobody is left behind, and the result tells what came first.
#[test]
fn nested_scopes_leave_nobody_behind() {
    Model::of(1).sees(&["failed", "cancelled"]).explore(|seen| {
        let live = Live::default();
        let parent = Context::background().with_cancel();
        let (mut canceller, mut ctx) = (None, None);
        let result = block_on(scope(&parent, async |s: Scope<Failed>| {
            ctx = Some(s.context().clone());
            for part in 0..3 {
                let token = live.clone();
                s.spawn(async move |ctx| {
                    scope(&ctx, async |inner: Scope<Failed>| {
                        for _ in 0..3 {
                            let token = token.clone();
                            inner.spawn(async move |ctx| {
                                ctx.done().await;
                                drop(token);
                                Ok(())
                            });
                        }
                        inner.context().done().await;
                        if part == 0 { Err(Failed::Own) } else { Ok(()) }
                    })
                    .await
                });
            }
            let token = live.clone();
            s.spawn(async move |_| {
                drop(token);
                Err::<(), _>(Failed::Own)
            });
            let handle = parent.handle();
            canceller = Some(spawn(move || handle.cancel()));
            Ok(())
        }));
        assert_eq!(live.count(), 0);
        canceller.unwrap().join().unwrap();
        match (result, ctx.and_then(|ctx| ctx.err()).unwrap().reason()) {
            (Err(Failed::Own), Reason::TaskFailed) => seen.mark("failed"),
            (Err(_), Reason::Cancelled) => seen.mark("cancelled"),
            other => panic!("{other:?}"),
        }
    });
}
