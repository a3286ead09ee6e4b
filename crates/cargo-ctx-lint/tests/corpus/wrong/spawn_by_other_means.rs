//! Threads, blocking work, handles, sets and trackers.
use std::thread;
use tokio::runtime::{Handle, Runtime};
use tokio::task::{JoinSet, LocalSet};
use tokio_ctx::Context;
use tokio_util::task::TaskTracker;

struct Server {
    tasks: TaskTracker,
    runtime: Handle,
}

impl Server {
    fn accept(&self, ctx: &Context, socket: Socket) {
        self.tasks.spawn(serve(socket)); //~ bare-spawn
        self.runtime.spawn_blocking(move || index()); //~ bare-spawn
        done(ctx);
    }
}

fn start(ctx: &Context, rt: &Runtime, local: &LocalSet) {
    let mut set = JoinSet::new();
    set.spawn(one()); //~ bare-spawn
    set.spawn_on(two(), rt.handle()); //~ bare-spawn
    local.spawn_local(three()); //~ bare-spawn
    rt.handle().spawn(four()); //~ bare-spawn
    Handle::current().spawn(five()); //~ bare-spawn
    thread::spawn(|| six()); //~ bare-spawn
    thread::Builder::new().spawn(|| seven()); //~ bare-spawn
    tokio::task::spawn_blocking(|| eight()); //~ bare-spawn
    rayon::spawn(|| nine()); //~ bare-spawn
    done(ctx);
}
