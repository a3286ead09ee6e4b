//! The order in which a server stops: [`run`].

use std::future::pending;
use std::panic::Location;
use std::pin::pin;
use std::time::Duration;

use spawn_scoped::{Scope, ScopeOptions, Spawner};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};
use tokio_ctx_core::{Cancelled, Context, Reason, owner};

use super::report::ServeReport;
use super::settings::Settings;

/// How long after the requests were asked to stop those that have not are reported.
const PATIENCE: Duration = Duration::from_secs(1);

/// Between the moment when it is written down what is cut off, and the abort.
const MOMENT: Duration = Duration::from_millis(10);

/// Runs `server` in a scope until `ctx` ends or the server does, and then until all tasks of
/// the scope are joined. `on_cut` is called right before what is left is aborted.
///
/// The server gets its scope, and the context that ends when it is to accept no more. What it
/// returns is `None` if it had to be cut off.
pub(super) async fn run<T, F, Fut>(
    ctx: &Context,
    settings: &Settings,
    location: &'static Location<'static>,
    server: F,
    on_cut: impl FnOnce(),
) -> (Option<T>, ServeReport)
where
    F: FnOnce(Spawner, Context) -> Fut,
    Fut: Future<Output = T>,
{
    // Ends with `ctx`, or with the server. The requests outlive it by the drain of their scope.
    let accepts = ctx.with_cancel();
    // ctx-lint: allow(context-not-passed) a switch of its own, which ends with nothing else
    let cut = Context::background().with_cancel();
    let (begun, has_begun) = oneshot::channel::<Spawner>();
    let mut output = None;
    let mut asked_at = None;
    let mut report = ServeReport::default();

    let mut options = ScopeOptions::new()
        .name(format!("server at {location}"))
        .supervise()
        .drain(settings.drain);
    if let Some(grace) = settings.grace.checked_add(MOMENT) {
        options = options.grace(grace);
    }
    let served = options.run(&accepts, async |s: Scope<Cancelled>| {
        let tasks = s.spawner();
        drop(begun.send(tasks.clone()));
        // Of the body, so that it ends with it however that ends. It hangs on no scope: each
        // connection asks it whenever it is polled, and a merge would be two walks.
        let stop = accepts.with_cancel();
        output = cut.run(server(tasks.clone(), stop.clone())).await.ok();
        let stopped = owner::cancelled(Reason::Shutdown, location, None);
        owner::cancel(&accepts.handle(), stopped);
        Ok(())
    });
    let stopping = async {
        let Ok(tasks) = has_begun.await else {
            return pending().await;
        };
        let why = accepts.done().await;
        asked_at = Some(Instant::now());
        tracing::info!(%why, "the server stops");
        tasks.context().done().await;
        let ended_at = Instant::now();

        sleep_until(ended_at + PATIENCE.min(settings.grace / 2)).await;
        report.stragglers = tasks.unfinished();
        for straggler in &report.stragglers {
            tracing::warn!(%straggler, "the server waits");
        }
        match ended_at.checked_add(settings.grace) {
            Some(at) => sleep_until(at).await,
            None => pending().await,
        }
        report.aborted = tasks.unfinished();
        on_cut();
        cut.cancel();
        pending().await
    };
    let result = {
        let (mut served, mut stopping) = (pin!(served), pin!(stopping));
        tokio::select! {
            biased; // what is left is written down before the scope's own timer aborts it
            never = &mut stopping => never,
            result = &mut served => result,
        }
    };
    report.why = ctx.err();
    report.failure = result.err();
    report.took = asked_at.map_or(Duration::ZERO, |at| at.elapsed());
    (output, report)
}
