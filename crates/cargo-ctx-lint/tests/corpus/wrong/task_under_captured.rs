//! Tasks that put their own context aside.
use tokio_ctx::{Context, Scope, Spawner};

fn start(ctx: Context, s: &Scope<Error>, tasks: &Spawner) {
    let outer = ctx.clone();
    s.spawn(async move |_| load(&outer).await); //~ task-context-ignored
    let outer = ctx.clone();
    s.spawn_blocking(move |_ctx| outer.check()); //~ task-context-ignored
    let outer = ctx.clone();
    s.task().name("named").spawn(async move |_| load(&outer).await); //~ task-context-ignored
    let outer = ctx.clone();
    tasks.spawn(move |own| { //~ task-context-ignored
        let work = outer.run(load());
        async move { work.await? }
    });
}
