//! Promise 2: the first error is the scope's, and no later one is lost. Promise 15: enough is
//! not failure.

use spawn_scoped::{Scope, ScopeOptions, TaskFailure, scope};
use tokio_ctx_core::{Cancelled, Context, Reason};

use crate::support::{AppError, current_thread, on_both};

type Boxed = Box<dyn std::error::Error + Send + Sync>;

#[test]
fn the_first_error_becomes_the_result_and_stops_the_rest() {
    on_both(|| async {
        let error = scope(&Context::background(), async |s| {
            let waiting = s.spawn(async |ctx| {
                let why = ctx.done().await;
                assert_eq!(why.reason(), Reason::TaskFailed);
                Err::<(), _>(AppError::from(why))
            });
            s.task()
                .name("db")
                .spawn(async |_| Err::<(), _>(AppError::Broken("db")));
            waiting.await?;
            Ok(())
        })
        .await
        .unwrap_err();
        assert_eq!(error, AppError::Broken("db"));
    });
}

#[test]
fn the_cause_of_the_cancel_names_the_task_that_failed() {
    current_thread().block_on(async {
        let line = line!() + 3;
        let result: Result<(), Boxed> = scope(&Context::background(), async |s| {
            let why = s.context().clone();
            s.task()
                .name("orders")
                .spawn(async |_| Err::<(), Boxed>("no such table".into()));
            let why = why.done().await;
            let failure = why.cause::<TaskFailure>().unwrap();
            assert_eq!(failure.reason(), Reason::TaskFailed);
            assert_eq!(failure.name(), Some("orders"));
            assert_eq!(failure.location().line(), line);
            assert_eq!(failure.message(), Some("no such table"));
            assert_eq!(why.location().line(), line);
            Ok(())
        })
        .await;
        assert_eq!(result.unwrap_err().to_string(), "no such table");
    });
}

#[test]
fn a_secondary_cancelled_never_replaces_the_primary_error() {
    on_both(|| async {
        for _ in 0..50 {
            let error = scope(&Context::background(), async |s| {
                let tasks: Vec<_> = (0..8)
                    .map(|i| {
                        s.spawn(async move |ctx| {
                            if i == 5 {
                                tokio::task::yield_now().await;
                                return Err(AppError::Broken("five"));
                            }
                            Err::<(), _>(AppError::from(ctx.done().await))
                        })
                    })
                    .collect();
                for task in tasks {
                    task.await?;
                }
                Ok(())
            })
            .await
            .unwrap_err();
            assert_eq!(error, AppError::Broken("five"));
        }
    });
}

#[test]
fn an_error_of_the_body_stops_the_tasks_and_is_the_result() {
    on_both(|| async {
        let error = scope(&Context::background(), async |s| {
            s.spawn(async |ctx| Err::<(), _>(AppError::from(ctx.done().await)));
            Err::<(), _>(AppError::Broken("body"))
        })
        .await
        .unwrap_err();
        assert_eq!(error, AppError::Broken("body"));
    });
}

#[test]
fn an_error_of_a_body_that_is_kept_is_secondary_after_a_tasks_failure() {
    on_both(|| async {
        let report = ScopeOptions::new()
            .keep_body()
            .run_reported(&Context::background(), async |s| {
                let failing = s.spawn(async |_| Err::<(), _>(AppError::Broken("task")));
                assert_eq!(failing.await.unwrap_err().reason(), Reason::TaskFailed);
                Err::<(), _>(AppError::Broken("body"))
            })
            .await;
        assert_eq!(report.result.unwrap_err(), AppError::Broken("task"));
        assert_eq!(report.num_late, 1);
        assert_eq!(report.late[0].0, AppError::Broken("body"));
    });
}

#[test]
fn later_errors_are_kept_up_to_a_bound_and_counted() {
    on_both(|| async {
        let report = ScopeOptions::new()
            .run_reported(&Context::background(), async |s| {
                for _ in 0..100 {
                    s.spawn(async |ctx| {
                        ctx.done().await;
                        Err::<(), _>(AppError::Broken("late"))
                    });
                }
                s.spawn(async |_| Err::<(), _>(AppError::Broken("first")));
                Ok(())
            })
            .await;
        assert_eq!(report.result.unwrap_err(), AppError::Broken("first"));
        assert_eq!(report.num_late, 100);
        assert_eq!(report.late.len(), 32);
        assert!(
            report
                .late
                .iter()
                .all(|(error, _)| *error == AppError::Broken("late"))
        );
    });
}

#[test]
fn a_described_error_is_in_the_cause() {
    on_both(|| async {
        let result = ScopeOptions::new()
            .describe(|error: &AppError| format!("{error:?}"))
            .run(&Context::background(), async |s| {
                s.spawn(async |_| Err::<(), _>(AppError::Broken("disk")));
                let why = s.context().done().await;
                let failure = why.cause::<TaskFailure>().unwrap();
                assert_eq!(failure.message(), Some("Broken(\"disk\")"));
                Ok(())
            })
            .await;
        assert_eq!(result.unwrap_err(), AppError::Broken("disk"));
    });
}

#[test]
fn awaiting_a_failed_task_says_that_it_failed_and_where_it_was_spawned() {
    on_both(|| async {
        let result = scope(&Context::background(), async |s| {
            let line = line!() + 1;
            let failing = s.spawn(async |_| Err::<(), _>(AppError::Broken("x")));
            let why = failing.await.unwrap_err();
            assert_eq!(why.reason(), Reason::TaskFailed);
            assert_eq!(why.location().line(), line);
            Ok(())
        })
        .await;
        assert_eq!(result.unwrap_err(), AppError::Broken("x"));
    });
}

#[test]
fn a_finished_value_is_kept_when_a_cancel_comes_at_the_same_moment() {
    on_both(|| async {
        for _ in 0..100 {
            let value = scope(&Context::background(), async |s: Scope<Cancelled>| {
                let done = s.spawn(async |_| Ok(1));
                let canceller = s.clone();
                s.spawn(async move |_| {
                    canceller.cancel();
                    Ok(())
                });
                done.await
            })
            .await;
            assert_eq!(value.unwrap(), 1);
        }
    });
}

#[test]
fn after_the_owners_cancel_the_result_of_the_body_is_the_scopes() {
    on_both(|| async {
        let report = ScopeOptions::new()
            .run_reported(&Context::background(), async |s| {
                for _ in 0..3 {
                    s.spawn(async |ctx| Err::<(), _>(AppError::from(ctx.done().await)));
                    s.task()
                        .spawn_cancellable(std::future::pending::<Result<(), AppError>>());
                }
                assert!(s.cancel_with("found"));
                assert!(!s.cancel());
                Ok("answer")
            })
            .await;
        assert_eq!(report.result.unwrap(), "answer");
        assert_eq!(report.num_late, 3);
    });
}

#[test]
fn after_the_owners_cancel_an_error_of_the_body_is_the_scopes() {
    on_both(|| async {
        let error = scope(&Context::background(), async |s| {
            let task = s.spawn(async |ctx| Err::<(), _>(AppError::from(ctx.done().await)));
            s.cancel();
            let _ = task.await;
            Err::<(), _>(AppError::Broken("body"))
        })
        .await
        .unwrap_err();
        assert_eq!(error, AppError::Broken("body"));
    });
}

#[test]
fn a_failure_before_the_owners_cancel_still_decides() {
    on_both(|| async {
        let error = scope(&Context::background(), async |s| {
            let failing = s.spawn(async |_| Err::<(), _>(AppError::Broken("first")));
            let _ = failing.await;
            assert!(!s.cancel());
            Ok(())
        })
        .await
        .unwrap_err();
        assert_eq!(error, AppError::Broken("first"));
    });
}

#[test]
fn a_task_that_finds_the_answer_cancels_the_rest_without_failing_the_scope() {
    on_both(|| async {
        for _ in 0..50 {
            let found = scope(&Context::background(), async |s: Scope<AppError>| {
                let tasks: Vec<_> = (0..4)
                    .map(|i| {
                        let scope = s.clone();
                        s.spawn(async move |ctx| {
                            if i == 2 {
                                scope.cancel();
                                return Ok(i);
                            }
                            Err(AppError::from(ctx.done().await))
                        })
                    })
                    .collect();
                let mut found = None;
                for task in tasks {
                    found = found.or(task.await.ok());
                }
                Ok(found)
            })
            .await;
            assert_eq!(found.unwrap(), Some(2));
        }
    });
}
