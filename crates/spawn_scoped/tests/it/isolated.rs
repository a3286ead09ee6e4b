//! Promise 17: what becomes of an isolated task concerns only those who await it.

use std::fmt::Error as FmtError;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use spawn_scoped::{ScopeOptions, Spawner, Task, TaskFailure, scope};
use tokio_ctx_core::{Cancelled, Context, Reason};

use crate::settings::promise;
use crate::support::{Doomed, Live, Started, on_a_paused_clock, on_both, on_one_thread};

promise!(promise_17_an_isolated_task_decides_nothing: isolated, isolated_and_lost);

async fn isolated() {
    let live = Live::default();
    let token = live.token();
    let result = scope(&Context::background(), async |s| {
        let panics = s.isolated(async move |_| -> io::Result<()> {
            let _held = token;
            panic!("a bad client");
        });
        let fails = s.isolated(async |_| Err::<(), _>(io::Error::other("a bad frame")));
        let works = s.isolated(async |_| Ok(7));
        let nothing = s.spawner().isolated(async |_| ());
        let why = panics.await.unwrap_err();
        assert_eq!(why.reason(), Reason::TaskPanicked);
        let failure = why.cause::<TaskFailure>().unwrap();
        assert_eq!(failure.message(), Some("a bad client"));
        assert_eq!(fails.await?.unwrap_err().to_string(), "a bad frame");
        assert_eq!(works.await??, 7);
        nothing.await?;
        assert!(!s.context().is_done());
        Ok::<_, io::Error>("served")
    })
    .await;
    assert_eq!(result.unwrap(), "served");
    assert_eq!(live.count(), 0);
}

fn isolated_and_lost() {
    on_one_thread(async || {
        let doomed = Doomed::new();
        let result = scope(&Context::background(), async |s| {
            let started = Started::default();
            let hang = started.clone().hang::<(), FmtError>(());
            let lost = doomed.inside(|| s.spawner().isolated(async |_| hang.await));
            started.all(1).await;
            doomed.shut_down();
            assert_eq!(lost.await.unwrap_err().reason(), Reason::TaskLost);
            Ok::<_, Cancelled>(1)
        })
        .await;
        assert_eq!(result.unwrap(), 1);
    });
}

#[test]
fn each_way_to_start_one_is_isolated() {
    on_both(|| async {
        let result = ScopeOptions::<Cancelled>::new()
            .limit(8)
            .run(&Context::background(), async |s| {
                let tasks = s.spawner();
                let panicked = |task: Task<()>| async move {
                    assert_eq!(task.await.unwrap_err().reason(), Reason::TaskPanicked);
                };
                panicked(tasks.isolated(async |_| panic!("plain"))).await;
                panicked(tasks.task().spawn_blocking(|_| panic!("blocking"))).await;
                panicked(
                    tasks
                        .task()
                        .spawn_cancellable(async { panic!("cancellable") }),
                )
                .await;
                panicked(
                    tasks
                        .task()
                        .background()
                        .spawn(async |_| panic!("background")),
                )
                .await;
                panicked(tasks.slot().await?.spawn(async |_| panic!("in a slot"))).await;
                panicked(
                    s.slot()
                        .await?
                        .isolated(async |_| panic!("in the scope's slot")),
                )
                .await;
                let failed = tasks.task().spawn_blocking(|_| Err::<(), _>("blocking"));
                assert_eq!(failed.await?, Err("blocking"));
                assert!(!s.context().is_done());
                Ok(())
            })
            .await;
        result.unwrap();
    });
}

#[test]
fn a_local_one_is_isolated() {
    on_one_thread(async || {
        let local = tokio::task::LocalSet::new();
        let ctx = Context::background();
        let run = local.run_until(scope(&ctx, async |s| {
            let text = std::rc::Rc::new(String::from("local"));
            let panics = s.spawner().task().spawn_local(async move |_| {
                assert!(text.is_empty(), "local");
            });
            assert_eq!(panics.await.unwrap_err().reason(), Reason::TaskPanicked);
            Ok::<_, Cancelled>(())
        }));
        run.await.unwrap();
    });
}

#[test]
fn an_isolated_task_that_is_stopped_decides_nothing() {
    on_both(|| async {
        let parent = Context::background().with_cancel();
        let result = scope(&parent, async |s| {
            let tasks = s.spawner();
            tasks.task().spawn_cancellable(std::future::pending::<()>());
            tasks.isolated(async |ctx| Err::<(), _>(ctx.done().await));
            parent.cancel();
            let refused = tasks.isolated(async |_| ());
            assert_eq!(refused.await.unwrap_err().reason(), Reason::Cancelled);
            Ok::<_, Cancelled>("drained")
        })
        .await;
        assert_eq!(result.unwrap(), "drained");
    });
}

#[test]
fn an_isolated_task_that_is_aborted_does_not_fail_the_scope() {
    on_a_paused_clock(async || {
        let parent = Context::background().with_cancel();
        let live = Live::default();
        let result = ScopeOptions::<Cancelled>::new()
            .grace(Duration::from_secs(1))
            .run(&parent, async |s| {
                let token = live.token();
                s.spawner().isolated(async move |_| {
                    let _held = token;
                    std::future::pending::<()>().await;
                });
                tokio::task::yield_now().await;
                parent.cancel();
                Ok(())
            })
            .await;
        result.unwrap();
        assert_eq!(live.count(), 0);
    });
}

/// A struct and a plug-in without a type parameter.
struct Cache {
    tasks: Spawner,
}

trait Plugin: Send + Sync {
    fn start(&self, tasks: &Spawner) -> Task<Result<u32, FmtError>>;
}

impl Plugin for Cache {
    fn start(&self, tasks: &Spawner) -> Task<Result<u32, FmtError>> {
        tasks.isolated(async |_| Ok(1))
    }
}

#[test]
fn a_spawner_is_what_structs_and_plug_ins_take() {
    on_both(|| async {
        let result = scope(&Context::background(), async |s| {
            let cache = Arc::new(Cache {
                tasks: s.spawner().clone(),
            });
            let plugin: Arc<dyn Plugin> = cache.clone();
            let one = plugin.start(&s).await?.unwrap();
            let two = cache.tasks.isolated(async |_| Ok::<_, FmtError>(2)).await?;
            Ok::<_, Cancelled>(one + two.unwrap())
        })
        .await;
        assert_eq!(result.unwrap(), 3);
    });
}

#[test]
fn what_nobody_awaits_is_joined_all_the_same() {
    on_both(|| async {
        let live = Live::default();
        scope(&Context::background(), async |s| {
            for _ in 0..10 {
                let token = live.token();
                s.spawner().isolated(async move |_| {
                    tokio::task::yield_now().await;
                    drop(token);
                });
            }
            Ok::<_, Cancelled>(())
        })
        .await
        .unwrap();
        assert_eq!(live.count(), 0);
    });
}
