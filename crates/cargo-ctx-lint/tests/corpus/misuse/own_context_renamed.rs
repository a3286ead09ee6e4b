//! The task's context has a name, and is used for nothing.
use tokio_ctx::{Context, Scope};

pub fn start(request: &Context, s: &Scope<Error>, rows: Vec<Row>) {
    for row in rows {
        let ctx = request.clone();
        s.spawn(async move |task_ctx| { //~ own
            tracing::debug!("row");
            store(&ctx, row).await
        });
    }
}
