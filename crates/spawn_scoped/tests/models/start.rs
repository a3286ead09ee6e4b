//! Promise 12: a start returns what the task said, or why it said nothing.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use spawn_scoped::{Ready, Scope, scope};
use tokio_ctx_core::{Context, Reason};

use super::harness::{Failed, Live, Model, block_on, poll_once, spawn};

/// A body that waits for the first time is polled again in any case, which would hide a wake-up
/// that the start forgot.
async fn wait_once() {
    let mut has_waited = false;
    poll_fn(|_| match std::mem::replace(&mut has_waited, true) {
        true => Poll::Ready(()),
        false => Poll::Pending,
    })
    .await;
}

/// Said, then ended: the starter gets the value, the task its own end.
#[test]
fn a_start_returns_what_the_task_said() {
    Model::of(100).explore(|_| {
        let result = block_on(scope(&Context::background(), async |s: Scope<Failed>| {
            wait_once().await;
            let start = s.start(async |_, ready| {
                assert!(ready.set(7).is_ok());
                Ok(1)
            });
            let (said, task) = start.await?;
            Ok((said, task.await?))
        }));
        assert_eq!(result, Ok((7, 1)));
    });
}

/// Ended before it was ready: the error is the starter's, and decides nothing else.
#[test]
fn a_task_that_fails_before_it_is_ready_fails_its_start() {
    Model::of(100).explore(|_| {
        let result = block_on(scope(&Context::background(), async |s: Scope<Failed>| {
            wait_once().await;
            let start = s.start(async |_, _ready: Ready<()>| Err::<(), _>(Failed::Own));
            Ok(start.await.err())
        }));
        assert_eq!(result, Ok(Some(Failed::Own)));
    });
}

/// A start that is given up ends its task, unless the task was ready before.
#[test]
fn a_start_that_is_given_up_ends_its_task() {
    Model::of(2_000)
        .sees(&["ready", "given up"])
        .explore(|seen| {
            let live = Live::default();
            let result = block_on(scope(&Context::background(), async |s: Scope<Failed>| {
                let token = live.clone();
                let start = pin!(s.start(async move |ctx, ready| {
                    let _told_or_not = ready.set(());
                    ctx.done().await;
                    drop(token);
                    Ok(())
                }));
                match poll_once(start).await {
                    Some(started) => {
                        assert!(started.is_ok());
                        seen.mark("ready");
                        s.cancel();
                    }
                    None => seen.mark("given up"),
                }
                Ok(())
            }));
            assert_eq!(result, Ok(()));
            assert_eq!(live.count(), 0);
        });
}

/// A start against the close of its scope: it is refused, or its task is joined.
#[test]
fn a_start_against_the_close_is_joined_or_refused() {
    Model::of(600).sees(&["joined", "refused"]).explore(|seen| {
        let live = Live::default();
        let mut other = None;
        let result = block_on(scope(&Context::background(), async |s: Scope<Failed>| {
            let (token, clone) = (live.clone(), s.clone());
            // Not of this scope: it may come too late.
            other = Some(spawn(move || {
                let start = clone.start(async move |_, ready| {
                    let _told_or_not = ready.set(());
                    drop(token);
                    Ok(())
                });
                block_on(start).map(|_| ())
            }));
            Ok(())
        }));
        assert_eq!(result, Ok(()));
        match other.unwrap().join().unwrap() {
            Ok(()) => seen.mark("joined"),
            Err(refused) => {
                assert_eq!(refused, Failed::Stopped(Reason::ScopeFinished));
                seen.mark("refused");
            }
        }
        assert_eq!(live.count(), 0);
    });
}
