//! Declared unused, and another one used.
use tokio_ctx::{Context, Scope};

pub fn start(ctx: Context, s: &Scope<Error>, job: Job) {
    s.spawn(async move |_ctx| job.run(&ctx).await); //~ own
}
