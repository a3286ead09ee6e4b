//! What is rarely set about a task, and how tasks get started: [`TaskBuilder`].

use std::borrow::Cow;
use std::future::poll_fn;
use std::panic::{Location, resume_unwind};
use std::pin::pin;
use std::sync::{Arc, Weak};
use std::task::Poll;

use tokio_ctx_core::{Cancelled, Context, Reason, owner};
use tracing::Span;

use crate::data::entry::{Entry, Name, Place, TaskKind, Who};
use crate::data::failure::{FailureKind, TaskFailure};
use crate::data::refused::{Refused, Why};
use crate::data::span::SpanPolicy;
use crate::face::scope::Scope;
use crate::kernel::slots::Slots;
use crate::rt::{self, JoinHandle};
use crate::state::shared::{Shared, Ticket};
use crate::sync::catch;
use crate::task::handle::Task;
use crate::task::output::TaskOutput;
use crate::task::work::{Cancellable, End, Extra, IntoEnd, Job, Record, Work};

/// A task about to be spawned; from [`Scope::task`].
///
/// # Examples
///
/// ```
/// use tokio_ctx::{Cancelled, Context, SpanPolicy, scope};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Cancelled> {
/// let rows = scope(&Context::background(), async |s| {
///     s.task()
///         .name("count rows")
///         .span(SpanPolicy::Child)
///         .spawn_blocking(|_ctx| Ok::<_, Cancelled>(300_000))
///         .await
/// })
/// .await?;
/// assert_eq!(rows, 300_000);
/// # Ok(())
/// # }
/// ```
#[must_use = "a task runs only once one of the `spawn` methods is called"]
pub struct TaskBuilder<'s, E> {
    scope: &'s Scope<E>,
    location: Place,
    name: Option<Name>,
    span: Option<SpanPolicy>,
    under: Option<Context>,
    background: bool,
}

/// Whether a refusal is told to nobody who has to listen.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unasked {
    Yes,
    No,
}

impl<'s, E> TaskBuilder<'s, E> {
    #[inline]
    pub(crate) fn new(scope: &'s Scope<E>, location: Place) -> Self {
        Self {
            scope,
            location,
            name: None,
            span: None,
            under: None,
            background: false,
        }
    }

    /// A name for errors, logs, reports and trees.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, scope};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Cancelled> {
    /// scope(&Context::background(), async |s| {
    ///     let task = s.task().name("flush").spawn(async |_| Ok::<_, Cancelled>(()));
    ///     assert_eq!(task.name(), Some("flush"));
    ///     Ok(())
    /// })
    /// .await
    /// # }
    /// ```
    pub fn name(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.name = Some(Name::new(name.into()));
        self
    }

    /// How the task relates to the current tracing span, if not as the scope says.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, SpanPolicy, scope};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Cancelled> {
    /// scope(&Context::background(), async |s| {
    ///     let task = s.task().span(SpanPolicy::None).spawn(async |_| {
    ///         assert!(tracing::Span::current().is_none());
    ///         Ok::<_, Cancelled>(())
    ///     });
    ///     task.await?;
    ///     Ok(())
    /// })
    /// .await
    /// # }
    /// ```
    pub fn span(mut self, policy: SpanPolicy) -> Self {
        self.span = Some(policy);
        self
    }

    /// The context that stops the task, if not the scope's; see [`Scope::spawn_on`].
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, scope};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Cancelled> {
    /// scope(&Context::background(), async |s| {
    ///     let tenant = Context::background().with_cancel();
    ///     tenant.cancel_with("suspended");
    ///     let task = s.task().under(&tenant).spawn(async |ctx| Ok::<_, Cancelled>(ctx.is_done()));
    ///     // Its context has ended, so it is refused.
    ///     assert!(task.await.unwrap_err().to_string().contains("suspended"));
    ///     s.cancel(); // and that does not decide what this scope returns
    ///     Ok(())
    /// })
    /// .await
    /// # }
    /// ```
    pub fn under(mut self, other: &Context) -> Self {
        self.under = Some(other.clone());
        self
    }

    /// The task does not keep the scope open; see [`Scope::spawn_background`].
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, scope};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Cancelled> {
    /// scope(&Context::background(), async |s| {
    ///     s.task().background().spawn(async |ctx| {
    ///         ctx.done().await; // asked to stop when the others are done
    ///         Ok::<_, Cancelled>(())
    ///     });
    ///     let task = s.spawn(async |_| Ok::<_, Cancelled>(7));
    ///     assert_eq!(task.await?, 7);
    ///     Ok(())
    /// })
    /// .await
    /// # }
    /// ```
    pub fn background(mut self) -> Self {
        self.background = true;
        self
    }

    fn who(&self) -> Who {
        Who {
            name: self.name.clone(),
            location: self.location,
        }
    }

    /// Counts the task and makes its context, unless the scope is over, its context has ended, or
    /// there is no runtime. The slot has been taken by the caller; it goes with
    /// the record, or else is given back.
    #[inline]
    fn admit(&self, unasked: Unasked) -> Result<(Ticket, Context), Cancelled> {
        let admitted = self.count(unasked);
        if admitted.is_err() {
            self.give_back_slot();
        }
        admitted
    }

    fn count(&self, unasked: Unasked) -> Result<(Ticket, Context), Cancelled> {
        let scope = self.scope;
        let mut ticket = Ticket::enter(&scope.shared).ok_or_else(|| self.scope_is_over())?;
        let mut ctx = scope.context().clone();
        if self.background {
            let entered = scope.shared.enter_background(&ticket, &ctx);
            (ticket, ctx) = entered.ok_or_else(|| self.scope_is_over())?;
        }
        if let Some(other) = &self.under {
            // What is dropped under that context comes to the scope that waits for the task.
            let home: Weak<Shared> = Arc::downgrade(ticket.shared());
            let lifetime = owner::attach(other, home, self.location);
            ctx = owner::with_values_of(&lifetime, other)
                .unwrap_or_else(|| owner::context(&lifetime).clone());
        }
        if ctx.is_done() {
            if let Some(cancelled) = stopped(&ticket, &ctx, unasked) {
                return Err(cancelled);
            }
        }
        if !rt::is_running() {
            return Err(self.lost(&ticket));
        }
        Ok((ticket, ctx))
    }

    #[cold]
    #[inline(never)]
    fn scope_is_over(&self) -> Cancelled {
        owner::cancelled(Reason::ScopeFinished, self.scope.location(), None)
    }

    /// There is no runtime to run it.
    #[cold]
    #[inline(never)]
    fn lost(&self, ticket: &Ticket) -> Cancelled {
        let why = Some("there is no tokio runtime here".to_owned());
        let failure = TaskFailure::new(&self.who(), FailureKind::Lost, why);
        let cause = Some(Arc::new(failure) as _);
        let cancelled = owner::cancelled(Reason::TaskLost, self.location, cause);
        ticket.shared().task_lost(cancelled.clone());
        cancelled
    }

    /// Takes a slot without asking, for the spawns that never refuse for want of one.
    fn take_slot(&self) {
        if let Some(slots) = self.slots() {
            slots.take();
        }
    }

    fn give_back_slot(&self) {
        if let Some(slots) = self.slots() {
            slots.give_back();
        }
    }

    /// Background tasks take no slots.
    fn slots(&self) -> Option<&'s Slots> {
        if self.background {
            None
        } else {
            self.scope.shared.slots.as_deref()
        }
    }

    /// Starts the task with `spawn`, writes it into the ledger and makes its handle. The slot
    /// is taken unasked, and a task that cannot start is refused in its handle.
    #[inline]
    fn start<T>(
        &mut self,
        kind: TaskKind,
        spawn: impl FnOnce(Record, Context) -> JoinHandle<Result<T, Cancelled>>,
    ) -> Task<T> {
        self.take_slot();
        match self.admit(Unasked::Yes) {
            Ok(admitted) => self.start_admitted(kind, admitted, spawn),
            Err(cancelled) => Task::refused(cancelled, self.who()),
        }
    }

    /// The span to run the task in. No record has the slot yet when the subscriber panics, or a
    /// value that is printed.
    #[inline]
    fn make_span(&self, ctx: &Context) -> Option<Span> {
        if SpanPolicy::is_moot() {
            return None;
        }
        let policy = self.span.unwrap_or_else(|| self.scope.shared.span_policy());
        catch(|| policy.make_span(&self.who(), ctx)).unwrap_or_else(|payload| {
            self.give_back_slot();
            resume_unwind(payload)
        })
    }

    /// A panic of `spawn` drops the record, and with it slot and ticket.
    #[inline]
    fn start_admitted<T>(
        &mut self,
        kind: TaskKind,
        (ticket, ctx): (Ticket, Context),
        spawn: impl FnOnce(Record, Context) -> JoinHandle<Result<T, Cancelled>>,
    ) -> Task<T> {
        let home = ticket.shared().clone();
        let since = home.time();
        let extra = Extra::of(self.name.clone(), self.make_span(&ctx));
        let handle = spawn(Record::new(ticket, self.location, extra), ctx);
        let entry = Entry::new(handle.abort_handle(), self.who(), kind, since);
        home.ledger.write(entry);
        let (name, location) = (self.name.take(), self.location);
        Task::running(handle, Who { name, location }, &home)
    }
}

impl<'s, E: Send + 'static> TaskBuilder<'s, E> {
    /// Spawns a cooperative task; see [`Scope::spawn`].
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, scope};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Cancelled> {
    /// scope(&Context::background(), async |s| {
    ///     let task = s.task().spawn(async |ctx| Ok::<_, Cancelled>(ctx.is_done()));
    ///     assert!(!task.await?);
    ///     Ok(())
    /// })
    /// .await
    /// # }
    /// ```
    #[track_caller]
    pub fn spawn<F, Fut, O>(mut self, f: F) -> Task<O::Value>
    where
        F: FnOnce(Context) -> Fut,
        Fut: Future<Output = O> + Send + 'static,
        O: TaskOutput<E, Value: Send + 'static>,
    {
        self.start(TaskKind::Cooperative, cooperative::<E, _, _>(f))
    }

    /// Spawns a task that the end of its context drops; see [`Scope::spawn_cancellable`].
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, scope};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Cancelled> {
    /// scope(&Context::background(), async |s| {
    ///     let task = s.task().spawn_cancellable(async { Ok::<_, Cancelled>(7) });
    ///     assert_eq!(task.await?, 7);
    ///     Ok(())
    /// })
    /// .await
    /// # }
    /// ```
    #[track_caller]
    pub fn spawn_cancellable<Fut, O>(mut self, future: Fut) -> Task<O::Value>
    where
        Fut: Future<Output = O> + Send + 'static,
        O: TaskOutput<E, Value: Send + 'static>,
    {
        self.start(TaskKind::Cancellable, |record, ctx| {
            let future = Cancellable::new(&ctx, future);
            drop(ctx);
            rt::spawn(Work::<_, E>::new(future, record))
        })
    }

    /// Runs a closure on a thread where it may block; see [`Scope::spawn_blocking`].
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, scope};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Cancelled> {
    /// scope(&Context::background(), async |s| {
    ///     let task = s.task().name("hash").spawn_blocking(|ctx| {
    ///         ctx.check()?;
    ///         Ok::<_, Cancelled>(7)
    ///     });
    ///     assert_eq!(task.await?, 7);
    ///     Ok(())
    /// })
    /// .await
    /// # }
    /// ```
    #[track_caller]
    pub fn spawn_blocking<F, O>(mut self, f: F) -> Task<O::Value>
    where
        F: FnOnce(Context) -> O + Send + 'static,
        O: TaskOutput<E, Value: Send + 'static>,
    {
        self.start(TaskKind::Blocking, |record, ctx| {
            let job = Job::new(f, ctx, record);
            rt::spawn_blocking(move || job.run())
        })
    }

    /// Spawns on the thread's local runtime; see [`Scope::spawn_local`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std::rc::Rc;
    /// use tokio_ctx::{Cancelled, Context, scope};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Cancelled> {
    /// let local = tokio::task::LocalSet::new();
    /// let answer = local
    ///     .run_until(scope(&Context::background(), async |s| {
    ///         let shared = Rc::new(7); // never leaves this thread
    ///         s.task().spawn_local(async move |_| Ok::<_, Cancelled>(*shared)).await
    ///     }))
    ///     .await?;
    /// assert_eq!(answer, 7);
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn spawn_local<F, Fut, O>(mut self, f: F) -> Task<O::Value>
    where
        F: FnOnce(Context) -> Fut,
        Fut: Future<Output = O> + 'static,
        O: TaskOutput<E, Value: 'static>,
    {
        self.start(TaskKind::Cooperative, |record, ctx| {
            let future = f(ctx);
            rt::spawn_local(Work::<_, E>::new(future, record))
        })
    }

    /// Spawns if there is a slot; see [`Scope::try_spawn`].
    ///
    /// # Errors
    ///
    /// [`Refused`] with `f`.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, scope};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Cancelled> {
    /// scope(&Context::background(), async |s| {
    ///     let task = s.task().try_spawn(async |_| Ok::<_, Cancelled>(7)).unwrap();
    ///     assert_eq!(task.await?, 7);
    ///     Ok(())
    /// })
    /// .await
    /// # }
    /// ```
    #[track_caller]
    pub fn try_spawn<F, Fut, O>(self, f: F) -> Result<Task<O::Value>, Refused<F>>
    where
        F: FnOnce(Context) -> Fut,
        Fut: Future<Output = O> + Send + 'static,
        O: TaskOutput<E, Value: Send + 'static>,
    {
        if let Some(slots) = self.slots() {
            if !slots.try_take() {
                return Err(Refused::new(f, Why::Full(slots.limit())));
            }
        }
        self.launch_in_slot(f)
    }

    /// Waits for a slot, then spawns; see [`Scope::spawn_when_free`].
    ///
    /// # Errors
    ///
    /// [`Refused`] with `f`, when the context ends meanwhile.
    ///
    /// # Cancel safety
    ///
    /// Dropped while it waits, it gives up its place in line.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, ScopeOptions};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Cancelled> {
    /// ScopeOptions::new()
    ///     .limit(1)
    ///     .run(&Context::background(), async |s| {
    ///         let first = s.task().spawn_when_free(async |_| Ok::<_, Cancelled>(1)).await.unwrap();
    ///         // Waits until the first has given its slot back.
    ///         let second = s.task().spawn_when_free(async |_| Ok::<_, Cancelled>(2)).await.unwrap();
    ///         assert_eq!(first.await? + second.await?, 3);
    ///         Ok(())
    ///     })
    ///     .await
    /// # }
    /// ```
    pub async fn spawn_when_free<F, Fut, O>(self, f: F) -> Result<Task<O::Value>, Refused<F>>
    where
        F: FnOnce(Context) -> Fut,
        Fut: Future<Output = O> + Send + 'static,
        O: TaskOutput<E, Value: Send + 'static>,
    {
        if let Some(slots) = self.slots() {
            let mut line = Line { slots, place: None };
            let ctx = self.under.as_ref().unwrap_or(self.scope.context());
            let mut ended = pin!(ctx.done());
            let taken = poll_fn(|cx| {
                // The end is asked first: a slot that came free because of it
                // starts nothing.
                if let Poll::Ready(cancelled) = ended.as_mut().poll(cx) {
                    return Poll::Ready(Err(cancelled));
                }
                match slots.poll_take(&mut line.place, cx.waker()) {
                    true => Poll::Ready(Ok(())),
                    false => Poll::Pending,
                }
            });
            if let Err(cancelled) = taken.await {
                return Err(Refused::new(f, Why::Ended(cancelled)));
            }
        }
        self.launch_in_slot(f)
    }

    /// Spawns a task that says itself what its end means to the scope; a refusal
    /// is the caller's to tell.
    pub(crate) fn launch_excused<T, F, Fut>(mut self, f: F) -> Result<Task<T>, Cancelled>
    where
        F: FnOnce(Context) -> Fut,
        Fut: Future<Output = End<T, E>> + Send + 'static,
        T: Send + 'static,
    {
        self.take_slot();
        let admitted = self.admit(Unasked::No)?;
        let spawn = cooperative::<E, _, _>(f);
        Ok(self.start_admitted(TaskKind::Cooperative, admitted, spawn))
    }

    fn launch_in_slot<F, Fut, O>(mut self, f: F) -> Result<Task<O::Value>, Refused<F>>
    where
        F: FnOnce(Context) -> Fut,
        Fut: Future<Output = O> + Send + 'static,
        O: TaskOutput<E, Value: Send + 'static>,
    {
        match self.admit(Unasked::No) {
            Ok(admitted) => {
                let spawn = cooperative::<E, _, _>(f);
                Ok(self.start_admitted(TaskKind::Cooperative, admitted, spawn))
            }
            Err(cancelled) => Err(Refused::new(f, Why::Ended(cancelled))),
        }
    }
}

/// Why the context of a task that wanted to start has ended.
#[cold]
#[inline(never)]
fn stopped(ticket: &Ticket, ctx: &Context, unasked: Unasked) -> Option<Cancelled> {
    let cancelled = ctx.err()?;
    if unasked == Unasked::Yes {
        // Nobody has to look at the handle, so the scope has to remember; while the ticket
        // keeps its result open.
        ticket.shared().task_stopped(cancelled.clone());
    }
    Some(cancelled)
}

/// Starts a cooperative task.
#[inline]
fn cooperative<E, F, Fut>(
    f: F,
) -> impl FnOnce(Record, Context) -> JoinHandle<Result<ValueOf<Fut, E>, Cancelled>>
where
    F: FnOnce(Context) -> Fut,
    Fut: Future<Output: IntoEnd<E, Value: Send + 'static>> + Send + 'static,
    E: Send + 'static,
{
    |record, ctx| {
        let future = f(ctx);
        rt::spawn(Work::<_, E>::new(future, record))
    }
}

/// What a future run as a task gives to those who await it.
type ValueOf<Fut, E> = <<Fut as Future>::Output as IntoEnd<E>>::Value;

/// A place in the line for a slot, given up when dropped.
struct Line<'a> {
    slots: &'a Slots,
    place: Option<u64>,
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        if let Some(id) = self.place {
            self.slots.give_up(id);
        }
    }
}

impl<E> std::fmt::Debug for TaskBuilder<'_, E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TaskBuilder")
            .field("name", &self.name)
            .field("location", &format_args!("{}", self.location))
            .field("background", &self.background)
            .finish_non_exhaustive()
    }
}

impl<E: Send + 'static> Scope<E> {
    /// Spawns a cooperative task: it takes the context and owns its wind-down.
    ///
    /// When the context ends it is asked to stop, never cut off: the scope waits for it as long
    /// as it takes, reporting it every five seconds, or, with a
    /// [`grace`](crate::ScopeOptions::grace), aborts it after that.
    /// `f` itself is called at once; only its future runs in the task.
    ///
    /// The spawn is refused when the scope is over or its context has ended: the [`Task`] then
    /// says so, and `f` is dropped uncalled. [`try_spawn`](Self::try_spawn) gives it back.
    ///
    /// # Panics
    ///
    /// When `f` itself panics before it has made its future. Without a runtime there is no
    /// panic: the task is [lost](tokio_ctx_core::Reason::TaskLost).
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, scope};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Cancelled> {
    /// let greeting = scope(&Context::background(), async |s| {
    ///     let name = String::from("world");
    ///     let task = s.spawn(async move |_ctx| Ok::<_, Cancelled>(format!("hello, {name}")));
    ///     task.await
    /// })
    /// .await?;
    /// assert_eq!(greeting, "hello, world");
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn spawn<F, Fut, O>(&self, f: F) -> Task<O::Value>
    where
        F: FnOnce(Context) -> Fut,
        Fut: Future<Output = O> + Send + 'static,
        O: TaskOutput<E, Value: Send + 'static>,
    {
        self.task().spawn(f)
    }

    /// Spawns a task that is dropped at its next await when the scope's context ends.
    ///
    /// A value that is ready at that moment is kept.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, scope};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Cancelled> {
    /// scope(&Context::background(), async |s| {
    ///     s.spawn_cancellable(std::future::pending::<Result<(), Cancelled>>());
    ///     s.cancel();
    ///     Ok(())
    /// })
    /// .await
    /// # }
    /// ```
    #[track_caller]
    pub fn spawn_cancellable<Fut, O>(&self, future: Fut) -> Task<O::Value>
    where
        Fut: Future<Output = O> + Send + 'static,
        O: TaskOutput<E, Value: Send + 'static>,
    {
        self.task().spawn_cancellable(future)
    }

    /// Runs a closure on a thread where it may block; joined like the rest.
    ///
    /// A started one cannot be stopped from outside: let it ask
    /// [`ctx.check()?`](Context::check) now and then.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, scope};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Cancelled> {
    /// let sum = scope(&Context::background(), async |s| {
    ///     s.spawn_blocking(|ctx| {
    ///         let mut sum = 0u64;
    ///         for n in 0..1_000 {
    ///             ctx.check()?;
    ///             sum += n;
    ///         }
    ///         Ok::<_, Cancelled>(sum)
    ///     })
    ///     .await
    /// })
    /// .await?;
    /// assert_eq!(sum, 499_500);
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn spawn_blocking<F, O>(&self, f: F) -> Task<O::Value>
    where
        F: FnOnce(Context) -> O + Send + 'static,
        O: TaskOutput<E, Value: Send + 'static>,
    {
        self.task().spawn_blocking(f)
    }

    /// Spawns a task that does not keep the scope open: asked to stop when the others are
    /// done, and then waited for.
    ///
    /// Before that, its failure is the scope's failure, as with any task. Once it has been asked,
    /// what it returns no longer decides.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, Reason, scope};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Cancelled> {
    /// scope(&Context::background(), async |s| {
    ///     s.spawn_background(async |ctx| {
    ///         let why = ctx.done().await;
    ///         assert_eq!(why.reason(), Reason::ScopeFinished);
    ///         Ok::<_, Cancelled>(())
    ///     });
    ///     Ok(())
    /// })
    /// .await
    /// # }
    /// ```
    #[track_caller]
    pub fn spawn_background<F, Fut, O>(&self, f: F) -> Task<O::Value>
    where
        F: FnOnce(Context) -> Fut,
        Fut: Future<Output = O> + Send + 'static,
        O: TaskOutput<E, Value: Send + 'static>,
    {
        self.task().background().spawn(f)
    }

    /// Spawns a task whose future need not be `Send`, on the thread's own local runtime.
    ///
    /// # Panics
    ///
    /// Outside of a `LocalSet` or a local runtime, as [`tokio::task::spawn_local`] does.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::rc::Rc;
    /// use tokio_ctx::{Cancelled, Context, scope};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Cancelled> {
    /// let local = tokio::task::LocalSet::new();
    /// let length = local
    ///     .run_until(scope(&Context::background(), async |s| {
    ///         let text = Rc::new(String::from("local"));
    ///         s.spawn_local(async move |_| Ok::<_, Cancelled>(text.len())).await
    ///     }))
    ///     .await?;
    /// assert_eq!(length, 5);
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn spawn_local<F, Fut, O>(&self, f: F) -> Task<O::Value>
    where
        F: FnOnce(Context) -> Fut,
        Fut: Future<Output = O> + 'static,
        O: TaskOutput<E, Value: 'static>,
    {
        self.task().spawn_local(f)
    }

    /// Spawns a task that this scope waits for, but that another context stops.
    ///
    /// The end of this scope's own context does not reach it.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, scope};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Cancelled> {
    /// let server = Context::background().with_cancel();
    /// scope(&Context::background(), async |s| {
    ///     let flush = s.spawn_on(&server, async |ctx| Ok::<_, Cancelled>(ctx.is_done()));
    ///     s.cancel();
    ///     assert!(!flush.await?);
    ///     Ok(())
    /// })
    /// .await
    /// # }
    /// ```
    #[track_caller]
    pub fn spawn_on<F, Fut, O>(&self, other: &Context, f: F) -> Task<O::Value>
    where
        F: FnOnce(Context) -> Fut,
        Fut: Future<Output = O> + Send + 'static,
        O: TaskOutput<E, Value: Send + 'static>,
    {
        self.task().under(other).spawn(f)
    }

    /// Spawns a cooperative task if the [`limit`](crate::ScopeOptions::limit) leaves a slot,
    /// the scope is open and its context has not ended.
    ///
    /// # Errors
    ///
    /// [`Refused`], which says why and gives `f` back, uncalled.
    ///
    /// # Panics
    ///
    /// When `f` itself panics before it has made its future.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, ScopeOptions};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Cancelled> {
    /// ScopeOptions::<Cancelled>::new()
    ///     .limit(1)
    ///     .run(&Context::background(), async |s| {
    ///         assert!(s.try_spawn(async |_| Ok(())).is_ok());
    ///         assert!(s.try_spawn(async |_| Ok(())).unwrap_err().is_full());
    ///         Ok(())
    ///     })
    ///     .await
    /// # }
    /// ```
    #[track_caller]
    pub fn try_spawn<F, Fut, O>(&self, f: F) -> Result<Task<O::Value>, Refused<F>>
    where
        F: FnOnce(Context) -> Fut,
        Fut: Future<Output = O> + Send + 'static,
        O: TaskOutput<E, Value: Send + 'static>,
    {
        self.task().try_spawn(f)
    }

    /// Waits for a slot under the [`limit`](crate::ScopeOptions::limit), then spawns.
    ///
    /// Slots go to who has waited longest.
    ///
    /// # Errors
    ///
    /// [`Refused`] with `f` when the scope's context ends meanwhile: nobody waits for a slot
    /// past the cancel that would free it.
    ///
    /// # Cancel safety
    ///
    /// Dropped while it waits, it gives up its place in line; `f` is dropped uncalled.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, ScopeOptions};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Cancelled> {
    /// ScopeOptions::<Cancelled>::new()
    ///     .limit(2)
    ///     .run(&Context::background(), async |s| {
    ///         for _ in 0..10 {
    ///             assert!(s.spawn_when_free(async |_| Ok(())).await.is_ok());
    ///         }
    ///         Ok(())
    ///     })
    ///     .await
    /// # }
    /// ```
    #[track_caller]
    pub fn spawn_when_free<F, Fut, O>(
        &self,
        f: F,
    ) -> impl Future<Output = Result<Task<O::Value>, Refused<F>>>
    where
        F: FnOnce(Context) -> Fut,
        Fut: Future<Output = O> + Send + 'static,
        O: TaskOutput<E, Value: Send + 'static>,
    {
        self.task().spawn_when_free(f)
    }

    /// A task with a name, a span policy, or another of the things that are rarely set.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context, scope};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Cancelled> {
    /// scope(&Context::background(), async |s| {
    ///     let task = s.task().name("warm-up").background().spawn(async |_| Ok(()));
    ///     assert_eq!(task.name(), Some("warm-up"));
    ///     Ok::<_, Cancelled>(())
    /// })
    /// .await
    /// # }
    /// ```
    #[track_caller]
    pub fn task(&self) -> TaskBuilder<'_, E> {
        let location: Place = Location::caller();
        TaskBuilder::new(self, location)
    }
}
