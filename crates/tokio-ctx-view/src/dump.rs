//! The report without a page: as text, in the log on a signal, and as a test's last line.

use std::time::Duration;

use tokio_ctx_core::Context;

use crate::report::Report;
use crate::text;

/// So many tasks are named in a dump; the rest is counted.
const MAX_TASKS: usize = 1_000;

/// What runs now, as text: for a panic hook, or beside the error of a join that gave up.
///
/// # Examples
///
/// A panic that says what else was running:
///
/// ```standalone_crate
/// use tokio_ctx::view;
///
/// let before = std::panic::take_hook();
/// std::panic::set_hook(Box::new(move |panicked| {
///     before(panicked);
///     eprintln!("{}", view::dump());
/// }));
/// assert!(view::dump().contains("SCOPES AND TASKS (0)"));
/// ```
///
/// A shutdown that says what it did not wait for:
///
/// ```standalone_crate
/// use std::time::Duration;
/// use tokio_ctx::view;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let joined = tokio_ctx::root().join_timeout(Duration::from_secs(10)).await;
/// assert!(joined.is_ok(), "still running:\n{}", view::dump());
/// # }
/// ```
#[must_use]
pub fn dump() -> String {
    text::of(&Report::now(MAX_TASKS, None))
}

/// Fails the test if scopes, tasks, requests or queries are still there, with the list of them.
///
/// What is just about to finish gets a second of `ctx`'s clock. `ctx` limits the wait further.
///
/// # Panics
///
/// If something still runs after that.
///
/// # Cancel safety
///
/// Cancel safe: it only looks.
///
/// # Examples
///
/// ```standalone_crate
/// use tokio_ctx::{Cancelled, Context, scope, view};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Cancelled> {
/// let ctx = Context::background();
/// scope(&ctx, async |s| s.spawn(async |_| Ok::<_, Cancelled>(1)).await).await?;
/// view::assert_nothing_runs(&ctx).await;
/// # Ok(())
/// # }
/// ```
#[track_caller]
pub fn assert_nothing_runs(ctx: &Context) -> impl Future<Output = ()> {
    let ctx = ctx.clone();
    let caller = std::panic::Location::caller();
    async move {
        let patience = ctx.with_timeout(Duration::from_secs(1));
        loop {
            let report = Report::now(MAX_TASKS, None);
            if report.is_idle() {
                return;
            }
            assert!(
                !patience.is_done(),
                "something still runs at {caller}:\n{}",
                text::of(&report)
            );
            patience
                .with_timeout(Duration::from_millis(10))
                .done()
                .await;
        }
    }
}

/// Writes what runs to the log, at level `WARN`, each time the process gets SIGQUIT, until `ctx`
/// ends: what `kill -QUIT` does to a JVM or a Go program.
///
/// # Errors
///
/// Those of registering the signal's handler.
///
/// # Panics
///
/// Outside of a tokio runtime, or in one without I/O.
#[cfg(all(feature = "signal", unix))]
pub fn dump_on_signal(ctx: &Context) -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut quit = signal(SignalKind::quit())?;
    let ctx = ctx.clone();
    tokio::spawn(async move {
        while let Ok(Some(())) = ctx.run(quit.recv()).await {
            for line in dump().lines() {
                tracing::warn!("{line}");
            }
        }
    });
    Ok(())
}
