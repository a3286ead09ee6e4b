//! Promise 1: the scope returns when everybody has left, and misses nobody.

use std::future::poll_fn;
use std::task::Poll;

use spawn_scoped::{Scope, model, scope};
use tokio_ctx_core::{Cancelled, Context, Reason};

use super::harness::{Live, Model, block_on, spawn};

#[test]
fn join_waits_for_two_tasks() {
    Model::of(300).explore(|_| {
        let live = Live::default();
        let result = block_on(scope(&Context::background(), async |s| {
            for _ in 0..2 {
                let token = live.clone();
                // A capture of this future goes with the future, not before.
                s.spawn(move |_| {
                    poll_fn(move |_| {
                        let _held = &token;
                        Poll::Ready(Ok::<_, Cancelled>(()))
                    })
                });
            }
            Ok(())
        }));
        assert!(result.is_ok());
        assert_eq!(live.count(), 0);
    });
}

#[test]
fn a_sibling_spawned_while_the_scope_drains_is_joined() {
    Model::of(500).explore(|_| {
        let live = Live::default();
        let result = block_on(scope(
            &Context::background(),
            async |s: Scope<Cancelled>| {
                let (token, clone) = (live.clone(), s.clone());
                s.spawn(async move |_| {
                    clone.spawn(async move |_| {
                        drop(token);
                        Ok(())
                    });
                    Ok(())
                });
                Ok(())
            },
        ));
        assert!(result.is_ok());
        assert_eq!(live.count(), 0);
    });
}

#[test]
fn a_spawn_against_the_close_is_joined_or_refused() {
    Model::of(200).sees(&["joined", "refused"]).explore(|seen| {
        let live = Live::default();
        let mut other = None;
        let result = block_on(scope(
            &Context::background(),
            async |s: Scope<Cancelled>| {
                let (token, clone) = (live.clone(), s.clone());
                // Not of this scope: it may come too late.
                other = Some(spawn(move || {
                    let task = clone.spawn(async move |_| {
                        drop(token);
                        Ok(())
                    });
                    block_on(task)
                }));
                Ok(())
            },
        ));
        assert!(result.is_ok());
        match other.unwrap().join().unwrap() {
            Ok(()) => seen.mark("joined"),
            Err(refused) => {
                assert_eq!(refused.reason(), Reason::ScopeFinished);
                seen.mark("refused");
            }
        }
        assert_eq!(live.count(), 0);
    });
}

/// More tasks than loom has threads: they share two.
#[test]
fn five_tasks_on_two_threads_are_joined() {
    Model::of(2_000).huge().explore(|_| {
        model::set_task_threads(2);
        let live = Live::default();
        let result = block_on(scope(&Context::background(), async |s| {
            for _ in 0..5 {
                let token = live.clone();
                s.spawn(async move |_| {
                    drop(token);
                    Ok::<_, Cancelled>(())
                });
            }
            Ok(())
        }));
        assert!(result.is_ok());
        assert_eq!(live.count(), 0);
    });
}

/// Otherwise the fifth says what to do. loom may then abort, so it is tried in another process.
#[cfg(loom)]
#[test]
fn a_fifth_task_says_what_to_do() {
    const TRY_IT: &str = "SPAWN_A_FIFTH_TASK";
    if std::env::var_os(TRY_IT).is_some() {
        return loom::model(|| {
            let _never = block_on(scope(&Context::background(), async |s| {
                for _ in 0..5 {
                    s.spawn(async |_| Ok::<_, Cancelled>(()));
                }
                Ok(())
            }));
        });
    }
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture"])
        .arg("models::join::a_fifth_task_says_what_to_do")
        .env(TRY_IT, "1")
        .output()
        .unwrap();
    let report = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(report.contains("set_task_threads"), "{report}");
}
