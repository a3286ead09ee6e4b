//! Isolated tasks: their failures go to the code that awaits them, or else to the log.

use std::convert::Infallible;
use std::fmt::Display;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::Poll;

use pin_project_lite::pin_project;
use tokio_ctx_core::{Cancelled, Context, Reason};
use tracing::Level;

use crate::data::entry::Who;
use crate::data::failure::{Payload, TaskFailure, panic_message};
use crate::data::text::one_line;
use crate::foreign::drop_quietly;
use crate::sync::catch;
use crate::task::output::Never;

/// What an isolated task may return: `()`, or a `Result` whose error can be printed.
///
/// An error that is not awaited is logged, so it must implement `Display`.
/// The trait is sealed: no other type implements it.
#[diagnostic::on_unimplemented(
    message = "an isolated task must return `()` or a `Result` whose error can be printed, not `{Self}`",
    label = "the task returns `{Self}`",
    note = "an error that nobody awaits is logged, so the error type must implement `Display`",
    note = "wrap another output in `Ok::<_, std::convert::Infallible>(..)`"
)]
pub trait IsolatedOutput: sealed::Sealed {
    /// The error in words, if there is one.
    fn failure(&self) -> Option<String>;
}

impl IsolatedOutput for () {
    fn failure(&self) -> Option<String> {
        None
    }
}

/// A task that never returns.
impl IsolatedOutput for Never {
    fn failure(&self) -> Option<String> {
        None
    }
}

impl<T, X: Display> IsolatedOutput for Result<T, X> {
    fn failure(&self) -> Option<String> {
        self.as_ref().err().map(ToString::to_string)
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for () {}
    impl Sealed for super::Never {}
    impl<T, X> Sealed for Result<T, X> {}
}

/// The result of an isolated task until it is taken. Dropped before that, it logs what went
/// wrong.
pub(crate) struct Unseen<O> {
    output: Option<Result<O, Cancelled>>,
    report: Option<TaskFailure>,
}

impl<O> Unseen<O> {
    /// What a task that ran under `ctx` ended with.
    pub(crate) fn of(ended: Result<Result<O, Cancelled>, Payload>, ctx: &Context, who: &Who) -> Self
    where
        O: IsolatedOutput,
    {
        let (output, report) = match ended {
            Ok(Ok(output)) => {
                let text = catch(|| failure_of(&output, ctx)).unwrap_or(None);
                let failed = |text| TaskFailure::new(who, Reason::TaskFailed, Some(text));
                (Ok(output), text.map(failed))
            }
            // Stopped by the end of its context: no failure.
            Ok(Err(cancelled)) => (Err(cancelled), None),
            Err(payload) => {
                let text = panic_message(&payload);
                drop_quietly(payload);
                let failure = TaskFailure::new(who, Reason::TaskPanicked, text);
                (Err(failure.cancelled()), Some(failure))
            }
        };
        Self {
            output: Some(output),
            report,
        }
    }

    /// Somebody looks.
    pub(crate) fn take(mut self) -> Result<O, Cancelled> {
        self.report = None;
        self.output.take().expect("it is taken once")
    }
}

/// The failure in words, unless it only says that the context has ended.
fn failure_of<O: IsolatedOutput>(output: &O, ctx: &Context) -> Option<String> {
    let text = output.failure()?;
    match ctx.err() {
        Some(cancelled) if text.contains(&cancelled.to_string()) => None,
        _ => Some(one_line(text.into()).into_owned()),
    }
}

impl<O> Drop for Unseen<O> {
    fn drop(&mut self) {
        if let Some(failure) = self.report.take() {
            let (level, what) = match failure.reason() {
                Reason::TaskPanicked => (Level::ERROR, "panicked"),
                _ => (Level::WARN, "failed"),
            };
            let what = format!("an isolated task {what}, and nobody awaited it");
            failure.log(level, None, &what);
        }
        drop_quietly(self.output.take());
    }
}

pin_project! {
    /// The future of an isolated task: its panic is its own affair as well.
    pub(crate) struct Isolating<F, R, O> {
        // `None` once finished.
        #[pin]
        future: Option<F>,
        finish: fn(R) -> Result<O, Cancelled>,
        ctx: Context,
        who: Who,
        output: PhantomData<fn() -> O>,
    }
}

impl<F, R, O> Isolating<F, R, O> {
    pub(crate) fn new(
        future: F,
        finish: fn(R) -> Result<O, Cancelled>,
        ctx: Context,
        who: Who,
    ) -> Self {
        Self {
            future: Some(future),
            finish,
            ctx,
            who,
            output: PhantomData,
        }
    }
}

impl<F, R, O> Future for Isolating<F, R, O>
where
    F: Future<Output = R>,
    O: IsolatedOutput,
{
    type Output = Result<Unseen<O>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let mut output = None;
        let caught = catch(|| {
            let Some(future) = this.future.as_mut().as_pin_mut() else {
                return;
            };
            if let Poll::Ready(ready) = future.poll(cx) {
                output = Some((this.finish)(ready));
                this.future.set(None);
            }
        });
        let ended = match (caught, output) {
            (Ok(()), None) => return Poll::Pending,
            (Ok(()), Some(output)) => Ok(output),
            (Err(payload), output) => {
                drop_quietly(output);
                drop_quietly(catch(|| this.future.set(None)));
                Err(payload)
            }
        };
        Poll::Ready(Ok(Unseen::of(ended, this.ctx, this.who)))
    }
}
