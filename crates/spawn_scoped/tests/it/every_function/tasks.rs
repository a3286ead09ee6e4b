//! What is done with tasks, and the functions that it is a test of.

use std::pin::pin;

use spawn_scoped::{Spawner, scope};
use tokio::task::LocalSet;

use super::types::{Failure, Hostile, Method};
use super::{MAY_PANIC, NEVER, Operation, apart, begin, operation, options};

pub(super) const OF_TASKS: &[Operation] = &[
    operation(MAY_PANIC, &["scope", "Scope::spawn"], |w| {
        Box::pin(async move {
            let (begun, local) = (w.hostile(), w.hostile());
            let inner = scope(&w.ctx, async |s| {
                let _local = local;
                begun.act(Method::Call);
                drop(s.spawn(w.good()));
                drop(s.spawn(w.bad()));
                w.woken(w.work(Ok::<_, Failure>(w.hostile()))).await
            });
            drop(w.woken(inner).await);
        })
    }),
    operation(MAY_PANIC, &["Scope::spawn"], |w| {
        Box::pin(w.inside(async |w, s| {
            drop(s.spawn(w.good()));
            drop(s.spawn(w.good()).await);
            drop(s.spawn(w.bad()).await);
            drop(s.spawn(w.bad()));
        }))
    }),
    operation(MAY_PANIC, &["Scope::spawn"], |w| {
        Box::pin(w.inside(async |w, s| {
            s.cancel_with(w.hostile());
            drop(s.spawn(w.good()));
            drop(s.spawn(w.good()).await);
        }))
    }),
    operation(MAY_PANIC, &["Scope::spawn_blocking"], |w| {
        Box::pin(w.inside(async |w, s| {
            let (called, value) = (w.hostile(), w.hostile());
            let good = s.spawn_blocking(move |_| {
                called.act(Method::Call);
                drop(called);
                Ok::<_, Failure>(value)
            });
            let (called, error) = (w.hostile(), w.hostile());
            let bad = s.spawn_blocking(move |_| {
                called.act(Method::Call);
                drop(called);
                Err::<(), _>(Failure::Broken(error))
            });
            drop((good.await, bad.await));
            s.cancel();
            let never = w.hostile();
            drop(s.spawn_blocking(move |_| Ok::<_, Failure>(never)).await);
        }))
    }),
    operation(
        NEVER,
        &[
            "Scope::isolated",
            "Spawner::isolated",
            "TaskOptions<Scope>::isolated",
        ],
        |w| {
            Box::pin(async move {
                if matches!(w.method, Method::Drop | Method::Convert | Method::All) {
                    // The scope's result is the caller's own, and here it may be hostile.
                    return;
                }
                w.inside(async |w, s| {
                    let bad = || w.work(Err::<(), _>(Failure::Broken(w.hostile())));
                    let (first, second) = (bad(), bad());
                    drop(s.isolated(|_| first));
                    drop(s.task().isolated(|_| second));
                    drop(Spawner::isolated(&s, apart(w)));
                    drop(Spawner::isolated(&s, apart(w)).await);
                })
                .await;
            })
        },
    ),
    operation(
        MAY_PANIC,
        &[
            "TaskOptions::spawn",
            "TaskOptions::spawn_cancellable",
            "TaskOptions::spawn_blocking",
            "TaskOptions::spawn_local",
        ],
        |w| {
            let local = LocalSet::new();
            let run = w.inside(async |w, s| {
                let task = || s.spawner().task();
                drop(task().spawn(w.call(Err::<Hostile, _>(w.hostile()))));
                drop(task().spawn_cancellable(w.work(Err::<Hostile, _>(w.hostile()))));
                drop(task().spawn_cancellable(w.stuck::<Result<(), Hostile>>()));
                drop(
                    task()
                        .spawn_local(w.call(Ok::<_, Hostile>(w.hostile())))
                        .await,
                );
                let (called, error) = (w.hostile(), w.hostile());
                let blocking = task().spawn_blocking(move |_| {
                    called.act(Method::Call);
                    drop(called);
                    Err::<(), _>(error)
                });
                drop(blocking.await);
            });
            Box::pin(async move { local.run_until(run).await })
        },
    ),
    operation(
        MAY_PANIC,
        &[
            "TaskOptions::spawn",
            "TaskOptions::spawn_cancellable",
            "TaskOptions::spawn_blocking",
            "TaskOptions::spawn_local",
            "TaskOptions::name",
        ],
        |w| {
            let local = LocalSet::new();
            let run = w.inside(async |w, s| {
                let task = || s.task().name(w.hostile());
                drop(task().background().spawn(w.good()));
                drop(task().span(tracing::info_span!("task")).spawn(w.bad()));
                drop(task().spawn_cancellable(w.work(Ok::<_, Failure>(w.hostile()))));
                drop(task().spawn_cancellable(w.stuck::<Result<(), Failure>>()));
                drop(task().spawn_local(w.good()).await);
                let (called, value) = (w.hostile(), w.hostile());
                let blocking = task().spawn_blocking(move |_| {
                    called.act(Method::Call);
                    drop(called);
                    Ok::<_, Failure>(value)
                });
                drop(blocking.await);
            });
            Box::pin(async move { local.run_until(run).await })
        },
    ),
    operation(MAY_PANIC, &["TaskOptions::spawn"], |w| {
        Box::pin(w.inside(async |w, s| {
            // Contexts that nothing but the task holds.
            let (under, until) = (w.with_values().with_cancel(), w.with_values());
            drop(s.task().under(&under).spawn(w.good()));
            drop(s.task().until(&until).spawn(w.bad()));
            drop(
                s.task()
                    .under(&under)
                    .until(&until)
                    .spawn(w.endless_until_asked()),
            );
            let detached = w.with_values().without_cancel();
            drop(s.task().under(&detached).background().spawn(w.good()));
            drop((until, detached));
            under.cancel_with(w.hostile());
        }))
    }),
    operation(MAY_PANIC, &["TaskOptions::try_slot"], |w| {
        Box::pin(w.inside_of(options().limit(2), async |w, s| {
            let first = s.task().try_slot().map(|slot| slot.spawn(w.good()));
            let _second = s.task().try_slot();
            if let Err(full) = s.task().name("third").try_slot() {
                drop(format!("{full} {full:?}"));
            }
            if let Ok(task) = first {
                drop(task.await);
            }
            s.cancel_with(w.hostile());
            if let Err(refused) = s.task().try_slot() {
                drop(format!("{refused} {refused:?}"));
            }
        }))
    }),
    operation(
        MAY_PANIC,
        &["Scope::slot", "Spawner::slot", "TaskOptions::slot"],
        |w| {
            Box::pin(w.inside_of(options().limit(2), async |w, s| {
                let held = s.slot().await;
                {
                    let mut left = pin!(w.woken(s.slot()));
                    begin(left.as_mut());
                    let mut spawners = pin!(w.woken(s.spawner().slot()));
                    begin(spawners.as_mut());
                    drop(held);
                }
                if let Ok(slot) = w.woken(s.task().name("waiting").slot()).await {
                    drop(slot.spawn(w.good()).await);
                }
                if let Ok(slot) = w.woken(s.spawner().slot()).await {
                    drop(slot.spawn(apart(w)).await);
                }
            }))
        },
    ),
    operation(MAY_PANIC, &["Scope::cancel_with"], |w| {
        Box::pin(w.inside(async |w, s| {
            let waiting = s.spawn(w.endless_until_asked());
            s.cancel_with(w.hostile());
            s.cancel_with(w.hostile());
            drop((s.snapshot(), s.unfinished(), format!("{:?}", s.context())));
            drop(waiting.await);
        }))
    }),
    operation(MAY_PANIC, &["Spawner::run"], |w| {
        Box::pin(w.inside(async |w, s| {
            drop(w.woken(s.run(w.work(w.hostile()))).await);
            let ends = s.clone();
            s.spawn(async move |_| {
                ends.cancel();
                Ok::<_, Failure>(())
            });
            drop(w.woken(s.run(w.stuck::<()>())).await);
        }))
    }),
];
