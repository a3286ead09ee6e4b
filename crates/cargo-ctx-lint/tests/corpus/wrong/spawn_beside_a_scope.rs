//! A scope is at hand: the task belongs to it.
use tokio::task::JoinSet;
use tokio_ctx::{Scope, ScopeOptions, Spawner};

fn watch(s: &Scope<Error>, path: PathBuf) {
    tokio::spawn(follow(path)); //~ bare-spawn
}

fn plug(tasks: &Spawner) {
    std::thread::spawn(|| drain()); //~ bare-spawn
}

async fn with_options(ctx: &tokio_ctx::Context) -> Result<(), Error> {
    ScopeOptions::new()
        .grace(GRACE)
        .run(ctx, async |s| {
            let mut set = JoinSet::new();
            set.spawn(work()); //~ bare-spawn
            s.spawn(async move |ctx| tokio::spawn(other()).await).await //~ bare-spawn
        })
        .await
}
