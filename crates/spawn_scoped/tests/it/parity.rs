//! What errgroup and conc do, where no other module has it.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt as _;
use spawn_scoped::policy::{collect_all, map};
use spawn_scoped::{Scope, ScopeOptions, TaskFailure, scope};
use tokio_ctx_core::{Cancelled, Context, Reason};

use crate::support::{AppError, on_both};

#[test]
fn a_scope_without_tasks_is_ok() {
    on_both(|| async {
        let result = scope(&Context::background(), async |_: Scope<Cancelled>| Ok(1)).await;
        assert_eq!(result.unwrap(), 1);
    });
}

#[test]
fn the_first_error_by_completion_decides_and_success_does_not_clear_it() {
    on_both(|| async {
        let error = scope(&Context::background(), async |s| {
            s.spawn(async |ctx| {
                ctx.done().await;
                Ok(())
            });
            s.spawn(async |ctx| {
                ctx.done().await;
                Err::<(), _>(AppError::Broken("second"))
            });
            s.spawn(async |_| Err::<(), _>(AppError::Broken("first")));
            Ok(())
        })
        .await
        .unwrap_err();
        assert_eq!(error, AppError::Broken("first"));
    });
}

#[test]
fn after_draining_a_limited_scope_spawns_again() {
    on_both(|| async {
        ScopeOptions::<Cancelled>::new()
            .limit(42)
            .run(&Context::background(), async |s| {
                for _ in 0..2 {
                    let gate = Context::background().with_cancel();
                    let mut tasks = Vec::new();
                    for _ in 0..42 {
                        let gate = Context::clone(&gate);
                        let task = s.task().try_slot().map(|slot| {
                            slot.spawn(async move |_| {
                                gate.done().await;
                                Ok(())
                            })
                        });
                        tasks.push(task.unwrap());
                    }
                    assert!(
                        s.task()
                            .try_slot()
                            .is_err_and(|full| full.reason() == Reason::LimitReached)
                    );
                    gate.cancel();
                    for task in tasks {
                        task.await?;
                    }
                }
                Ok(())
            })
            .await
            .unwrap();
    });
}

#[test]
fn a_panic_keeps_its_value_and_names_its_task() {
    on_both(|| async {
        let mut escaped = None;
        let panicked = AssertUnwindSafe(scope(&Context::background(), async |s| {
            escaped = Some(s.context().clone());
            let task = s.task().name("digester");
            task.spawn(async |_| -> Result<(), Cancelled> { panic!("bad digest") });
            Ok(())
        }))
        .catch_unwind()
        .await;
        assert_eq!(
            *panicked.unwrap_err().downcast::<&str>().unwrap(),
            "bad digest"
        );
        let why = escaped.and_then(|ctx| ctx.err()).unwrap();
        assert_eq!(why.reason(), Reason::TaskPanicked);
        assert_eq!(why.cause::<TaskFailure>().unwrap().name(), Some("digester"));
    });
}

#[test]
fn a_walker_digesters_and_a_collector_are_all_done_before_the_result() {
    on_both(|| async {
        let running = Arc::new(AtomicUsize::new(0));
        let watched = running.clone();
        let total = scope(&Context::background(), async |s| {
            let (paths, feed) = tokio::sync::mpsc::channel::<u64>(4);
            let (digests, mut collect) = tokio::sync::mpsc::channel::<u64>(4);
            let feed = Arc::new(tokio::sync::Mutex::new(feed));
            s.spawn(async move |ctx| {
                for path in 0..100 {
                    ctx.check()?;
                    if paths.send(path).await.is_err() {
                        break;
                    }
                }
                Ok::<_, Cancelled>(())
            });
            for _ in 0..20 {
                let (feed, digests, running) = (feed.clone(), digests.clone(), running.clone());
                s.spawn(async move |_| {
                    running.fetch_add(1, Ordering::SeqCst);
                    loop {
                        let path = feed.lock().await.recv().await;
                        let Some(path) = path else { break };
                        if digests.send(path * 2).await.is_err() {
                            break;
                        }
                    }
                    running.fetch_sub(1, Ordering::SeqCst);
                    Ok(())
                });
            }
            drop(digests);
            let mut total = 0;
            while let Some(digest) = collect.recv().await {
                total += digest;
            }
            Ok(total)
        })
        .await;
        assert_eq!(total.unwrap(), 9900);
        assert_eq!(watched.load(Ordering::SeqCst), 0);
    });
}

#[tokio::test(start_paused = true)]
async fn a_deadline_of_the_parent_reaches_the_tasks_and_is_the_result() {
    let parent = Context::background().with_timeout(Duration::from_millis(50));
    let result = scope(&parent, async |s| {
        for _ in 0..10 {
            s.spawn(async |ctx| Err::<(), Cancelled>(ctx.done().await));
        }
        Ok(())
    })
    .await;
    assert!(result.unwrap_err().is_timeout());
}

#[test]
fn every_error_is_there_each_to_be_matched() {
    on_both(|| async {
        let names = ["e1", "e2", "e3"];
        let results = collect_all(&Context::background(), names, async |_, name| {
            Err::<(), _>(AppError::Broken(name))
        })
        .await;
        let errors: Vec<AppError> = results.into_iter().filter_map(Result::err).collect();
        assert_eq!(errors, names.map(AppError::Broken));
    });
}

#[test]
fn the_value_of_a_failed_map_is_the_error_alone() {
    on_both(|| async {
        let result = map(&Context::background(), 0..10, 3, async |_, n: u32| {
            if n == 4 {
                Err(AppError::Broken("four"))
            } else {
                Ok(n)
            }
        })
        .await;
        assert_eq!(result.unwrap_err(), AppError::Broken("four"));
    });
}

/// The words between backticks that look like `file::test`.
fn tests_of(cell: &str) -> impl Iterator<Item = (&str, &str)> {
    cell.split('`')
        .skip(1)
        .step_by(2)
        .filter_map(|word| word.split_once("::"))
}

#[test]
fn every_row_names_tests_that_exist() {
    let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    // A packaged crate has no docs of the workspace around it.
    let Ok(table) = std::fs::read_to_string(here.join("../../../docs/appendix/go-parity.md"))
    else {
        return;
    };
    let (_, table) = table.split_once("## Groups of tasks").unwrap();
    let mut rows = 0;
    for line in table.lines() {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [number, _, tests, _] = cells[..] else {
            continue;
        };
        if !number.starts_with(['E', 'S', 'C']) {
            continue;
        }
        rows += 1;
        assert!(tests_of(tests).count() > 0, "row {number} names no test");
        for (file, test) in tests_of(tests) {
            let folder = if file == "trace" { "log" } else { "it" };
            let source = std::fs::read_to_string(here.join(format!("{folder}/{file}.rs")));
            let source = source.unwrap_or_else(|error| panic!("row {number}: {file}: {error}"));
            assert!(
                source.contains(&format!("fn {test}()")),
                "row {number}: no {file}::{test}"
            );
        }
    }
    assert_eq!(rows, 15 + 2 + 21);
}
