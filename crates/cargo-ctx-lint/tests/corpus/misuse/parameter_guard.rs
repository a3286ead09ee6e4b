//! A callee that could end its caller.
use tokio_ctx::CancelGuard;

pub async fn save(guard: &CancelGuard, row: Row) -> Result<(), Error> { //~ parameter
    guard.run(insert(row)).await?
}
