//! Guards that are returned, kept beside, moved into the task, or given up in words.
use tokio_ctx::{CancelGuard, CancelHandle, Context, Scope};

pub struct Session {
    guard: CancelGuard,
    id: u64,
}

pub fn open(ctx: &Context, id: u64) -> Session {
    let guard = ctx.with_cancel();
    register(&guard.with_value::<SessionId>(id));
    Session { guard, id }
}

pub fn pair(ctx: &Context) -> (Context, CancelGuard) {
    let guard = ctx.with_cancel();
    let child = guard.with_timeout(LIMIT);
    (child, guard)
}

pub fn given_up(ctx: &Context) -> (Context, CancelHandle) {
    let guard = ctx.with_cancel();
    let handle = guard.handle();
    (guard.disarm(), handle)
}

pub fn task(ctx: &Context, s: &Scope<Error>) {
    let guard = ctx.with_cancel();
    s.spawn(async move |_| work(&guard.with_timeout(LIMIT)).await);
}

pub async fn race(ctx: &Context) -> Result<Row, Error> {
    let guard = ctx.with_cancel();
    let child = guard.with_timeout(LIMIT);
    first(&child).await
}

pub fn cloned(ctx: &Context) -> Context {
    let guard = ctx.with_cancel();
    let name = guard.name().map(str::to_owned);
    ctx.with_value::<Name>(name)
}
