//! Work that runs somewhere else, at a server or on a thread, and must be stopped there.
//!
//! Dropping a future stops what this process does. It does not stop a query at a database, a
//! command at a remote shell, a job on another machine: those run on, and what they leave behind
//! meets the next user of the connection. [`Interrupt`] is what an adapter for such a thing is
//! made of: it sends the interrupt when the context ends, again where one came too early, and
//! does not return before the last of them can hit nothing that starts later.
//!
//! # Two ways to stop
//!
//! - **Drain**: [`Interrupt::run`] goes on polling the work until it has ended by itself, as the
//!   interrupt makes it. For work that is not safe to drop.
//! - **Drop and clean**: [`Context::run`] drops the work; [`Interrupt::until`] then drives what
//!   makes the other side clean, a `ROLLBACK` for instance, while it interrupts what is still in
//!   its way. For work that may also be dropped by its caller, since both ways then end in one.
//!
//! # What the interrupt must promise
//!
//! The future that `interrupt` returns is a **fence**: once it is ready with `Ok`, nothing that
//! starts afterwards is hit by it. "The request was written" is no fence; "the other side has
//! closed the connection that the request came on" is one. An interrupt that is not known to be
//! over is an error, and its connection must not be used again.
//!
//! Go has this in `database/sql` (`QueryContext`) and its drivers; the fence is what pgx and lib/pq
//! learnt from cancels that hit the next query.

use std::error::Error;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use crate::cancelled::Cancelled;
use crate::context::Context;
use crate::foreign::Whole;

/// How work elsewhere is stopped, and how long that may take.
///
/// See the [module](self) for what `interrupt` must promise.
///
/// # Examples
///
/// A worker that is asked to stop through a channel, and reports how far it came:
///
/// ```
/// use std::convert::Infallible;
/// use tokio::sync::mpsc;
/// use tokio_ctx::Context;
/// use tokio_ctx::interrupt::{Interrupt, Outcome};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let (stop, mut stopped) = mpsc::channel::<()>(1);
/// let ctx = Context::background().with_cancel();
/// let count = async {
///     let mut steps = 0;
///     while stopped.try_recv().is_err() {
///         steps += 1;
///         if steps == 3 {
///             ctx.cancel();
///         }
///         tokio::task::yield_now().await;
///     }
///     steps
/// };
///
/// let interrupt = Interrupt::new(async || Ok::<_, Infallible>(drop(stop.try_send(()))));
/// match interrupt.run(&ctx, count).await {
///     Outcome::Stopped { output, why } => {
///         assert!(output >= 3);
///         assert_eq!(why.reason(), tokio_ctx::Reason::Cancelled);
///     }
///     outcome => panic!("{outcome:?}"),
/// }
/// # }
/// ```
#[must_use = "an interrupt does nothing until it is given work"]
pub struct Interrupt<F> {
    interrupt: F,
    grace: Duration,
    every: Duration,
}

/// How work under [`Interrupt::run`] ended.
///
/// # Examples
///
/// ```
/// use std::convert::Infallible;
/// use tokio_ctx::Context;
/// use tokio_ctx::interrupt::{Interrupt, Outcome};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let interrupt = Interrupt::new(async || Ok::<(), Infallible>(()));
/// let outcome = interrupt.run(&Context::background(), async { 7 }).await;
/// assert!(matches!(outcome, Outcome::Finished(7)));
/// # }
/// ```
#[derive(Debug)]
#[must_use = "work that was abandoned leaves something behind"]
pub enum Outcome<T, E> {
    /// The context had ended before: the work was never polled, nothing was interrupted.
    Refused(Cancelled),
    /// The work ended first: nothing was interrupted.
    Finished(T),
    /// The context ended, then the work did, and no interrupt is under way.
    Stopped {
        /// What the work returned: often an error that says it was interrupted, but a value where
        /// it was finished at that very moment.
        output: T,
        /// Why the context ended.
        why: Cancelled,
    },
    /// The context ended, and the other side is not known to be at rest: whatever leads there
    /// (a connection, a session) must be closed.
    Abandoned {
        /// Why the context ended.
        why: Cancelled,
        /// How far it came.
        left: Abandoned<T, E>,
    },
}

/// What is known where the work, or an interrupt of it, did not end in time.
///
/// # Examples
///
/// ```
/// use std::future::pending;
/// use std::time::Duration;
/// use tokio_ctx::interrupt::Interrupt;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// let deaf = Interrupt::new(async || Ok::<(), std::io::Error>(())).grace(Duration::from_secs(1));
/// let left = deaf.until(pending::<()>()).await.unwrap_err();
/// assert_eq!(left.to_string(), "not stopped within its grace");
/// # }
/// ```
#[derive(Debug)]
pub struct Abandoned<T, E> {
    /// What the work returned, where it is only an interrupt that is not known to be over.
    pub output: Option<T>,
    /// Why an interrupt could not be sent or not be waited for; `None` where the grace is over.
    pub refused: Option<E>,
}

impl<F, I, E> Interrupt<F>
where
    F: FnMut() -> I,
    I: Future<Output = Result<(), E>>,
{
    /// An interrupt with a grace of 2 s, sent again every 50 ms.
    ///
    /// `interrupt` is called once for each interrupt, never while another one is under way. Its
    /// future is ready with `Ok` once the interrupt can hit nothing that starts later, whether or
    /// not it hit anything; with `Err` where it is refused, or nobody knows.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::interrupt::Interrupt;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let mut sent = 0;
    /// let interrupt = Interrupt::new(|| {
    ///     sent += 1;
    ///     std::future::ready(Ok::<(), std::io::Error>(()))
    /// });
    /// assert_eq!(interrupt.until(async { "clean" }).await.unwrap(), "clean");
    /// assert_eq!(sent, 1);
    /// # }
    /// ```
    pub fn new(interrupt: F) -> Interrupt<F> {
        Interrupt {
            interrupt,
            grace: Duration::from_secs(2),
            every: Duration::from_millis(50),
        }
    }

    /// How long work and interrupts may take together, from the first interrupt on.
    ///
    /// It is counted on the clock of contexts, so a paused runtime decides what time it is.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tokio_ctx::interrupt::Interrupt;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let hangs = Interrupt::new(std::future::pending::<Result<(), ()>>);
    /// let left = hangs.grace(Duration::from_secs(9)).until(async {}).await.unwrap_err();
    /// assert_eq!(left.output, Some(()), "only the interrupt did not end");
    /// # }
    /// ```
    pub fn grace(mut self, grace: Duration) -> Interrupt<F> {
        self.grace = grace;
        self
    }

    /// How long the work is left alone after each interrupt before it gets another one; at least
    /// a millisecond.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::cell::Cell;
    /// use std::time::Duration;
    /// use tokio_ctx::interrupt::Interrupt;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let sent = Cell::new(0);
    /// let interrupt = Interrupt::new(async || Ok::<(), ()>(sent.set(sent.get() + 1)));
    /// let work = tokio::time::sleep(Duration::from_millis(250));
    /// interrupt.every(Duration::from_millis(100)).until(work).await.unwrap();
    /// assert_eq!(sent.get(), 3);
    /// # }
    /// ```
    pub fn every(mut self, every: Duration) -> Interrupt<F> {
        // Without a pause, an interrupt that is ready at once would keep its thread.
        self.every = every.max(Duration::from_millis(1));
        self
    }

    /// Runs `work` until it has ended; once `ctx` ends, interrupts it until then.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: when this future is dropped, work and interrupt are dropped where they
    /// are, and the interrupt may still arrive. What leads to the other side must then be closed,
    /// or made clean with [`until`](Interrupt::until).
    ///
    /// # Panics
    ///
    /// A panic of the work or of the interrupt goes through to the caller, with the same effect.
    ///
    /// # Examples
    ///
    /// See [`Interrupt`].
    pub async fn run<W: Future>(self, ctx: &Context, work: W) -> Outcome<W::Output, E> {
        let mut work = pin!(Whole::new(work));
        if let Err(why) = ctx.check() {
            return Outcome::Refused(why);
        }
        let why = match ctx.run(work.as_mut()).await {
            Ok(output) => {
                drop(self);
                return Outcome::Finished(output);
            }
            Err(why) => why,
        };
        match self.until(work).await {
            Ok(output) => Outcome::Stopped { output, why },
            Err(left) => Outcome::Abandoned { why, left },
        }
    }

    /// Interrupts now, and again, until `work` has ended and no interrupt is under way.
    ///
    /// The work is polled first, so what it asks of the other side is on its way before the first
    /// interrupt is.
    ///
    /// # Errors
    ///
    /// [`Abandoned`] when the grace is over first, or as soon as an interrupt fails.
    ///
    /// # Cancel safety
    ///
    /// That of [`run`](Interrupt::run).
    ///
    /// # Panics
    ///
    /// As [`run`](Interrupt::run).
    ///
    /// # Examples
    ///
    /// See [`Interrupt::new`].
    pub async fn until<W: Future>(mut self, work: W) -> Result<W::Output, Abandoned<W::Output, E>> {
        let mut work = pin!(Whole::new(work));
        let grace = Context::background().with_timeout(self.grace);
        let mut over = pin!(grace.done());
        let result = loop {
            // One that was begun is waited for, whatever the work does meanwhile: until it is
            // over, it could hit what starts next.
            let mut interrupt = pin!(Whole::new((self.interrupt)()));
            let mut output = None;
            let fenced = poll_fn(|cx| {
                if output.is_none() {
                    output = match work.as_mut().poll(cx) {
                        Poll::Ready(output) => Some(output),
                        Poll::Pending => None,
                    };
                }
                match interrupt.as_mut().poll(cx) {
                    Poll::Ready(fenced) => Poll::Ready(Some(fenced)),
                    Poll::Pending => over.as_mut().poll(cx).map(|_| None),
                }
            });
            let fenced = fenced.await;
            interrupt.set(Whole::OVER);
            match (fenced, output) {
                (Some(Ok(())), Some(output)) => break Ok(output),
                (Some(Ok(())), None) => {}
                (fenced, output) => {
                    let refused = fenced.and_then(Result::err);
                    break Err(Abandoned { output, refused });
                }
            }
            // It may have come too early to be seen, and a pipeline needs one for each part.
            let pause = grace.with_timeout(self.every);
            if let Ok(output) = pause.run(work.as_mut()).await {
                break Ok(output);
            }
            if grace.is_done() {
                let (output, refused) = (None, None);
                break Err(Abandoned { output, refused });
            }
        };
        work.set(Whole::OVER);
        drop(self.interrupt);
        result
    }
}

impl<F> fmt::Debug for Interrupt<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interrupt")
            .field("grace", &self.grace)
            .field("every", &self.every)
            .finish_non_exhaustive()
    }
}

impl<T, E> fmt::Display for Abandoned<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.refused {
            Some(_) => "could not be interrupted",
            None => "not stopped within its grace",
        })
    }
}

impl<T: fmt::Debug, E: Error + 'static> Error for Abandoned<T, E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let refused = self.refused.as_ref()?;
        Some(refused)
    }
}
