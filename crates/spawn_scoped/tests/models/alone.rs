//! Promises 17 and 18: a task that is isolated, or ended alone, decides nothing.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use spawn_scoped::model::Panic;
use spawn_scoped::{Scope, scope};
use tokio_ctx_core::{Context, Reason};

use super::harness::{Failed, Live, Model, block_on, spawn};

/// Its error is that of its own end, and its scope goes on.
#[test]
fn a_task_that_is_ended_alone_ends_nobody_else() {
    Model::of(500).huge().explore(|_| {
        let own = Context::background().with_cancel();
        let mut canceller = None;
        let result = block_on(scope(&Context::background(), async |s: Scope<Failed>| {
            let task = s.task().until(&own);
            let task = task.spawn(async |ctx| Err::<(), _>(Failed::from(ctx.done().await)));
            let handle = own.handle();
            canceller = Some(spawn(move || handle.cancel()));
            assert_eq!(task.await.unwrap_err().reason(), Reason::Cancelled);
            assert!(s.context().err().is_none());
            Ok(())
        }));
        canceller.unwrap().join().unwrap();
        assert_eq!(result, Ok(()));
    });
}

/// Nobody looks at the one that panics, while another one waits.
#[test]
fn an_isolated_panic_ends_nobody_else() {
    Model::of(500).large().explore(|_| {
        let live = Live::default();
        let root = Context::background();
        let scope = scope(&root, async |s: Scope<Failed>| {
            let token = live.clone();
            drop(s.spawner().isolated(async move |_| {
                // Before the panic: shuttle's tasks share a thread, and one that is switched away
                // from while it unwinds makes all of them look as if they did.
                drop(token);
                if true {
                    resume_unwind(Box::new(Panic(7)));
                }
            }));
            s.spawn(async |ctx| Ok(ctx.check()?));
            Ok(())
        });
        // A panic of the model's own kind says nothing.
        let result = catch_unwind(AssertUnwindSafe(|| block_on(scope)));
        assert!(matches!(result, Ok(Ok(()))), "the panic is the scope's");
        assert_eq!(live.count(), 0);
    });
}
