//! The order in which a server stops: [`run`].

use std::future::pending;
use std::panic::Location;
use std::pin::pin;
use std::sync::Mutex;
use std::time::Duration;

use spawn_scoped::{Scope, ScopeOptions, Spawner};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_ctx_core::{Cancelled, Context, Reason, owner};

use super::lock;
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
    // Everything of `ctx` but its end, which the requests outlive by the drain.
    let requests = ctx.without_cancel().with_cancel();
    // ctx-lint: allow(context-not-passed) a switch of its own, which ends with nothing else
    let cut = Context::background().with_cancel();
    let (begun, has_begun) = oneshot::channel::<()>();
    let (running, is_running) = oneshot::channel::<()>();
    let known = Mutex::new(None::<Spawner>);
    let unfinished = || {
        lock(&known)
            .as_ref()
            .map_or_else(Vec::new, Spawner::unfinished)
    };
    let mut output = None;
    let mut asked_at = None;
    let mut report = ServeReport::default();

    let mut options = ScopeOptions::new().name("server").supervise();
    if let Some(grace) = settings.grace.checked_add(MOMENT) {
        options = options.grace(grace);
    }
    let served = options.run(&requests, async |s: Scope<Cancelled>| {
        *lock(&known) = Some(s.spawner().clone());
        drop(begun);
        let stop = s.context().merge(ctx);
        output = cut.run(server(s.spawner().clone(), stop)).await.ok();
        drop(running);
        Ok(())
    });
    let stopping = async {
        drop(has_begun.await);
        tokio::select! {
            _ = ctx.done() => {}
            _ = is_running => {}
        }
        asked_at = Some(Instant::now());
        let shut_down = || owner::cancelled(Reason::Shutdown, location, None);
        let why = ctx.err().unwrap_or_else(shut_down);
        tracing::info!(%why, "the server stops");
        sleep(settings.drain).await;
        let ended_at = Instant::now();
        owner::cancel(&requests.handle(), why);

        sleep_until(ended_at + PATIENCE.min(settings.grace / 2)).await;
        report.stragglers = unfinished();
        for straggler in &report.stragglers {
            tracing::warn!(%straggler, "the server waits");
        }
        match ended_at.checked_add(settings.grace) {
            Some(at) => sleep_until(at).await,
            None => pending().await,
        }
        report.aborted = unfinished();
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
