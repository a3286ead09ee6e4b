//! Two tasks of one scope disagree about its error type.

use spawn_scoped::scope;
use tokio_ctx_core::{Cancelled, Context};

#[derive(Debug)]
enum AppError {
    Cancelled(Cancelled),
}

impl From<Cancelled> for AppError {
    fn from(cancelled: Cancelled) -> Self {
        AppError::Cancelled(cancelled)
    }
}

async fn both(ctx: &Context) -> Result<(), AppError> {
    scope(ctx, async |s| {
        s.spawn(async |_| Err::<(), _>(std::io::Error::other("disk full")));
        s.spawn(async |_| Err::<(), AppError>(AppError::Cancelled(todo!())));
        Ok(())
    })
    .await
}

fn main() {
    drop(both(&Context::background()));
}
