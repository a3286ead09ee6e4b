//! A borrowed context cannot outlive the call; guards and handles are rights, not contexts.
use std::marker::PhantomData;
use tokio_ctx::{CancelGuard, CancelHandle, Context};

struct Params<'a> {
    ctx: &'a Context,
    limit: usize,
}

struct Server {
    lifetime: CancelGuard,
    stop: CancelHandle,
    marker: PhantomData<Context>,
    hook: Box<dyn Fn(&Context) + Send>,
    contexts: tokio::sync::mpsc::Sender<Context>,
}
