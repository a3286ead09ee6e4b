//! A tally that the tasks of a scope add to.

use std::sync::Arc;

use tokio_ctx::{Cancelled, Context, scope};

use crate::sync::Mutex;

/// How a task adds one.
pub type Add = fn(&Mutex<u32>);

/// Counts `parts` in a task each, and returns the sum.
///
/// # Errors
///
/// When the context ends first.
pub async fn count(ctx: &Context, parts: u32, add: Add) -> Result<u32, Cancelled> {
    let tally = Arc::new(Mutex::new(0));
    scope(ctx, async |s| {
        for _ in 0..parts {
            let tally = Arc::clone(&tally);
            s.spawn(async move |ctx| {
                ctx.check()?;
                add(&tally);
                Ok::<_, Cancelled>(())
            });
        }
        Ok(())
    })
    .await?;
    let sum = *tally.lock().unwrap();
    Ok(sum)
}

/// Adds one.
pub fn steadily(tally: &Mutex<u32>) {
    *tally.lock().unwrap() += 1;
}

/// Adds one to what was there a moment ago: an update in between is overwritten.
pub fn hastily(tally: &Mutex<u32>) {
    let before = *tally.lock().unwrap();
    *tally.lock().unwrap() = before + 1;
}
