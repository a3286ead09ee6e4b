//! Promise 6: a blocking task begins, or is given up because its context has ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use spawn_scoped::scope;
use tokio_ctx_core::{Context, Reason};

use super::harness::{Failed, Live, Model, block_on};

/// The pool's thread against the parent's cancel: one of them takes the job.
#[test]
fn a_blocking_task_begins_or_is_given_up() {
    Model::of(5_000)
        .large()
        .sees(&["begun", "given up"])
        .explore(|seen| {
            let live = Live::default();
            // Not the checker's: it decides nothing.
            let begun = Arc::new(AtomicBool::new(false));
            let parent = Context::background().with_cancel();
            let result = block_on(scope(&parent, async |s| {
                let (token, mark) = (live.clone(), Arc::clone(&begun));
                let task = s.spawn_blocking(move |_ctx| {
                    let _held = token;
                    mark.store(true, Ordering::Relaxed);
                    Ok::<_, Failed>(7)
                });
                parent.cancel();
                Ok(task.await?)
            }));
            assert_eq!(live.count(), 0);
            match begun.load(Ordering::Relaxed) {
                true => {
                    assert_eq!(result, Ok(7));
                    seen.mark("begun");
                }
                false => {
                    assert_eq!(result, Err(Failed::Stopped(Reason::Cancelled)));
                    seen.mark("given up");
                }
            }
        });
}
