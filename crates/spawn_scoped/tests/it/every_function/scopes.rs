//! What is done with scopes, and the functions that it is a test of.

use std::time::Duration;

use spawn_scoped::{Ready, policy, root, scope};

use super::types::{Failure, Hidden, Hostile, Method};
use super::{MAY_PANIC, Operation, apart, begin, operation, options};

pub(super) const OF_SCOPES: &[Operation] = &[
    operation(
        MAY_PANIC,
        &[
            "ScopeOptions::run",
            "ScopeOptions::describe",
            "ScopeOptions::name",
        ],
        |w| {
            let describes = w.hostile();
            let named = options().name(w.hostile()).describe(move |error| {
                describes.act(Method::Call);
                error.to_string()
            });
            Box::pin(w.inside_of(named.supervise(), async |w, s| {
                drop(s.spawn(w.bad()).await);
                drop(s.spawn(w.bad()));
                drop(s.spawn(w.good()).await);
            }))
        },
    ),
    operation(MAY_PANIC, &["ScopeOptions::run_reported"], |w| {
        Box::pin(async move {
            let body = async |s: spawn_scoped::Scope<Failure>| {
                for _ in 0..40 {
                    drop(s.spawn(w.bad()));
                }
                w.woken(w.work(Err::<Hostile, _>(Failure::Broken(w.hostile()))))
                    .await
            };
            let run = options().keep_body().run_reported(&w.ctx, body);
            let report = w.woken(run).await;
            drop((report.result, report.late));
        })
    }),
    operation(MAY_PANIC, &["ScopeOptions::run"], |w| {
        // The grace aborts what does not answer; nothing of it is begun again.
        let soon = options()
            .grace(Duration::ZERO)
            .clean_up(Duration::from_millis(1));
        Box::pin(async move {
            let inside = w.begin_inside(soon, async |w, s| {
                drop(s.spawn(w.endless()));
                drop(s.isolated(w.endless()));
                let stuck = w.stuck::<Result<(), Failure>>();
                drop(s.defer(move |_| stuck));
                s.cancel();
                w.stuck::<()>().await;
            });
            inside.await;
        })
    }),
    operation(MAY_PANIC, &["ScopeOptions::run"], |w| {
        // A drain: the parent's end closes the intake, and what runs may go on for a while.
        Box::pin(
            w.inside_of(options().drain(Duration::from_millis(1)), async |w, s| {
                drop(s.spawn(w.good()));
                drop(s.spawn(w.endless_until_asked()));
                w.cancel();
                drop(s.slot().await);
                drop(s.run(w.stuck::<()>()).await);
                drop(s.spawn(w.bad()));
            }),
        )
    }),
    operation(
        MAY_PANIC,
        &["Scope::defer", "Spawner::defer", "Deferred::run_now"],
        |w| {
            Box::pin(w.inside(async |w, s| {
                drop(s.defer(w.good()));
                drop(s.defer(w.bad()));
                drop(s.spawner().defer(apart(w)));
                s.defer(w.good()).stop();
                let now = s.defer(w.bad());
                drop(w.woken(now.run_now(&w.ctx)).await);
                let now = s.spawner().defer(apart(w));
                drop(w.woken(now.run_now(&w.ctx.without_cancel())).await);
            }))
        },
    ),
    operation(MAY_PANIC, &["Scope::defer", "Deferred::run_now"], |w| {
        Box::pin(async move {
            let inner = scope(&w.ctx, async |s| Ok::<_, Failure>(s.clone())).await;
            let Ok(s) = inner else { return };
            // It is over, and refuses.
            drop(s.defer(w.good()));
            drop(s.defer(w.good()).run_now(&w.ctx).await);
        })
    }),
    operation(MAY_PANIC, &["Scope::start", "Ready::set"], |w| {
        Box::pin(w.inside(async |w, s| {
            let (value, late) = (w.hostile(), w.good());
            let well = s.start(move |ctx, ready: Ready<Hostile>| async move {
                drop(ready.set(value));
                late(ctx).await
            });
            drop(w.woken(well).await);
            let held = w.hostile();
            let forgets = s.start(move |_, ready: Ready<Hostile>| async move {
                drop((ready, held));
                Ok::<_, Failure>(())
            });
            drop(w.woken(forgets).await);
            let work = w.stuck::<Result<(), Failure>>();
            let mut left = Box::pin(s.start(move |ctx, ready: Ready<Hostile>| async move {
                let _ready = ready;
                drop(ctx.run(work).await);
                Ok::<_, Failure>(())
            }));
            begin(left.as_mut());
            drop(left);
            let error = w.hostile();
            let fails = s.start(move |_, _ready: Ready<()>| async move {
                Err::<Hostile, _>(Failure::Broken(error))
            });
            drop(w.woken(fails).await);
        }))
    }),
    operation(MAY_PANIC, &["map"], |w| {
        Box::pin(async move {
            drop(w.woken(policy::map(&w.ctx, w.items(), 1, w.each())).await);
            drop(w.woken(policy::map(&w.ctx, w.items(), 9, w.each())).await);
        })
    }),
    operation(MAY_PANIC, &["collect_all"], |w| {
        Box::pin(async move {
            let all = policy::collect_all(&w.ctx, w.items(), w.each());
            drop(w.woken(all).await);
        })
    }),
    operation(MAY_PANIC, &["first_ok"], |w| {
        Box::pin(async move {
            let first = policy::first_ok(&w.ctx, w.items(), w.each());
            drop(w.woken(first).await);
        })
    }),
    operation(MAY_PANIC, &["race"], |w| {
        Box::pin(async move {
            drop(w.woken(policy::race(&w.ctx, w.items(), w.each())).await);
        })
    }),
    operation(
        MAY_PANIC,
        &["scope", "Root::join", "Root::join_timeout"],
        |w| {
            Box::pin(async move {
                let held = w.with_values();
                let mut left = Box::pin(scope(&held, async |s| {
                    drop(s.defer(w.bad()));
                    drop(s.spawn(w.endless_until_asked()));
                    drop(s.task().spawn_cancellable(w.stuck::<Result<(), Failure>>()));
                    drop(s.task().background().spawn(w.bad()));
                    w.stuck::<Result<(), Failure>>().await
                }));
                begin(left.as_mut());
                drop(left);
                // The values go with the last of the tasks.
                drop((held.without_value::<Hidden>(), held));
                drop(w.woken(root().join_timeout(Duration::from_millis(1))).await);
                w.woken(root().join()).await;
            })
        },
    ),
];
