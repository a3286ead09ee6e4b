//! Promise 20: a real error beats "I was cancelled", whichever came first.

use std::error::Error;
use std::io;

use spawn_scoped::{ScopeOptions, scope};
use tokio_ctx_core::{Cancelled, Context, Reason};

use crate::settings::promise;
use crate::support::{AppError, Doomed, Started, on_both, on_one_thread};

type Boxed = Box<dyn Error + Send + Sync>;

promise!(promise_20_a_real_error_beats_i_was_cancelled: real_error, real_error_before_a_shutdown);

/// After the parent's end, one task returns its `Cancelled` with `?` and another fails to commit.
async fn real_error() {
    for real_first in [false, true] {
        let parent = Context::background().with_cancel();
        let report = ScopeOptions::new()
            .run_reported(&parent, async |s| {
                let says_so = s.spawn(async |ctx| {
                    let why = ctx.done().await;
                    Err::<(), _>(AppError::from(why))
                });
                let commits = s.spawn(async |ctx| {
                    ctx.done().await;
                    Err::<(), _>(AppError::Broken("commit"))
                });
                parent.cancel();
                let [first, second] = match real_first {
                    true => [commits, says_so],
                    false => [says_so, commits],
                };
                assert!(first.await.is_err());
                assert!(second.await.is_err());
                Ok(())
            })
            .await;
        assert_eq!(report.result.unwrap_err(), AppError::Broken("commit"));
        assert_eq!(report.num_late, 1);
        assert!(matches!(&report.late[0].0, AppError::Stopped(_)));
    }
}

fn real_error_before_a_shutdown() {
    on_one_thread(async || {
        let parent = Context::background().with_cancel();
        let doomed = Doomed::new();
        let error = scope(&parent, async |s| {
            let started = Started::default();
            let hang = started.clone().hang::<(), AppError>(());
            doomed.inside(|| s.spawn(async |_| hang.await));
            started.all(1).await;
            let says_so = s.spawn(async |ctx| Err::<(), _>(AppError::from(ctx.done().await)));
            parent.cancel();
            assert!(says_so.await.is_err());
            let commits = s.task().under(&Context::background());
            let commits = commits.spawn(async |_| Err::<(), _>(AppError::Broken("commit")));
            assert!(commits.await.is_err());
            doomed.shut_down();
            Ok(())
        })
        .await
        .unwrap_err();
        assert_eq!(error, AppError::Broken("commit"));
    });
}

#[test]
fn a_tasks_real_error_beats_a_body_that_was_cancelled() {
    on_both(|| async {
        let parent = Context::background().with_cancel();
        let report = ScopeOptions::new()
            .run_reported(&parent, async |s| {
                s.spawn(async |ctx| {
                    ctx.done().await;
                    tokio::task::yield_now().await;
                    Err::<(), _>(AppError::Broken("commit"))
                });
                parent.cancel();
                Err::<(), _>(AppError::from(s.context().done().await))
            })
            .await;
        assert_eq!(report.result.unwrap_err(), AppError::Broken("commit"));
        assert_eq!(report.num_late, 1);
        assert!(matches!(&report.late[0].0, AppError::Stopped(_)));
    });
}

#[test]
fn a_bodys_real_error_beats_a_task_that_was_cancelled() {
    on_both(|| async {
        let parent = Context::background().with_cancel();
        let error = scope(&parent, async |s| {
            let says_so = s.spawn(async |ctx| Err::<(), _>(AppError::from(ctx.done().await)));
            parent.cancel();
            assert!(says_so.await.is_err());
            Err::<(), _>(AppError::Broken("body"))
        })
        .await
        .unwrap_err();
        assert_eq!(error, AppError::Broken("body"));
    });
}

#[test]
fn among_boxed_errors_the_one_without_a_cancelled_inside_is_real() {
    on_both(|| async {
        let parent = Context::background().with_cancel();
        let error = scope(&parent, async |s| {
            let says_so = s.spawn(async |ctx| {
                let wrapped = io::Error::from(ctx.done().await);
                Err::<(), _>(Boxed::from(wrapped))
            });
            parent.cancel();
            assert!(says_so.await.is_err());
            let commits = s.task().under(&Context::background());
            drop(commits.spawn(async |_| Err::<(), _>(Boxed::from("commit failed"))));
            Ok(())
        })
        .await
        .unwrap_err();
        assert_eq!(error.to_string(), "commit failed");
    });
}

/// More tasks say "cancelled" than a scope keeps late errors: the real one still decides.
#[test]
fn a_real_error_is_found_behind_any_number_of_cancelled_ones() {
    on_both(|| async {
        let parent = Context::background().with_cancel();
        let report = ScopeOptions::new()
            .run_reported(&parent, async |s| {
                let stopped: Vec<_> = (0..100)
                    .map(|_| s.spawn(async |ctx| Err::<(), _>(AppError::from(ctx.done().await))))
                    .collect();
                let commits = s.spawn(async |ctx| {
                    ctx.done().await;
                    for task in stopped {
                        assert!(task.await.is_err());
                    }
                    Err::<(), _>(AppError::Broken("commit"))
                });
                parent.cancel();
                assert!(commits.await.is_err());
                Ok(())
            })
            .await;
        assert_eq!(report.result.unwrap_err(), AppError::Broken("commit"));
        assert_eq!(report.num_late, 100);
    });
}

/// A deadline of a task's own is a failure like any other while the scope is alive.
#[test]
fn before_the_end_of_the_scope_the_first_error_decides_whatever_it_says() {
    on_both(|| async {
        let error = scope(&Context::background(), async |s| {
            s.spawn(async |ctx| {
                let late = ctx.with_timeout(std::time::Duration::ZERO);
                late.check()?;
                Ok(())
            });
            s.context().done().await;
            std::future::pending::<Result<(), Cancelled>>().await
        })
        .await
        .unwrap_err();
        assert_eq!(error.reason(), Reason::Deadline);
    });
}
