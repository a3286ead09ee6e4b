//! Promise 19: what was deferred runs once, also when the scope's future is dropped.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use spawn_scoped::{Scope, scope};
use tokio_ctx_core::{Cancelled, Context};

use super::harness::{Live, Model, block_on, poll_once_and_drop};

/// The last task leaves while the scope is dropped: one of them starts the clean-up, and the scope
/// around waits for it.
#[test]
fn the_clean_up_of_a_dropped_scope_runs_once() {
    Model::of(500).large().explore(|_| {
        let live = Live::default();
        // Not the checker's: it decides nothing.
        let ran = Arc::new(AtomicUsize::new(0));
        let result = block_on(scope(
            &Context::background(),
            async |outer: Scope<Cancelled>| {
                let (token, count) = (live.clone(), Arc::clone(&ran));
                poll_once_and_drop(scope(outer.context(), async |s: Scope<Cancelled>| {
                    drop(s.defer(async move |_| {
                        count.fetch_add(1, Ordering::Relaxed);
                        drop(token);
                        Ok(())
                    }));
                    s.spawn(async |_| Ok(()));
                    pending::<Result<(), Cancelled>>().await
                }));
                Ok(())
            },
        ));
        assert!(result.is_ok());
        assert_eq!(ran.load(Ordering::Relaxed), 1);
        assert_eq!(live.count(), 0);
    });
}
