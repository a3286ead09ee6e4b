//! The handle: [`Context`].

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::panic::{Location, RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::budget::Budget;
use crate::cancelled::{Cancelled, Facts, Reason, SharedCause};
use crate::foreign;
use crate::future::{Done, DoneOwned, Run};
use crate::guard::CancelGuard;
use crate::key::Key;
use crate::node::{Node, Rare};
use crate::on_cancel::OnCancel;
use crate::one_line::OneLine;
use crate::sync::CancellationToken;
use crate::sync::clock::{self, NEVER};
use crate::value::{self, Values};

/// The lifetime and the values of one piece of work, to be handed down to all it calls.
///
/// A context tells its holder when to stop ([`done`](Context::done),
/// [`is_done`](Context::is_done), [`check`](Context::check)), why
/// ([`err`](Context::err)), by when ([`deadline`](Context::deadline)), and carries the values
/// of its request ([`value`](Context::value)). It never changes: each `with_…` derives a new
/// one, and whatever ends a context ends all that were derived from it. Holding a context
/// gives no right to end it; that is what [`CancelGuard`] is for.
///
/// Pass it as the first parameter, named `ctx`, by reference; clone it (two reference counts)
/// into what outlives the call. Do not keep it in a long-lived struct: it belongs to one
/// request, not to an object.
///
/// # What is atomic
///
/// The first outcome of a context is its only one. With `parent`, its child and its
/// grandchild, cancelled as A (the parent) and B (the child) at the same moment, every reader
/// sees either A everywhere below the parent, or B in the child and the grandchild:
///
/// - the child is cancelled first: child and grandchild say B for ever, the parent A;
/// - the parent is cancelled first: all three say A, and the child's `cancel` returns false;
/// - once one reader was told "A" by the grandchild, no reader is ever told "B" by the child.
///
/// Once one of `is_done`, `err`, `check` and `done` says that a context ended, all of them
/// do, on every thread that learns of it. What has no order is unrelated contexts: of two
/// siblings cancelled by two threads, one observer may see only the first ended and another
/// only the second.
///
/// # Comparison to Go
///
/// `Context` is Go's `context.Context` and `context.Cause` in one. It differs where Go relies
/// on discipline: the right to cancel is a value that cancels when it is dropped; keys are
/// types; a deadline is compared to the clock by whoever asks, and needs a timer only while
/// somebody waits; a child that is forgotten leaks nothing, because parents keep no list of
/// children.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tokio_ctx::{Context, key};
///
/// key! { TraceId: &'static str }
///
/// async fn load(ctx: &Context) -> Result<u32, tokio_ctx::Cancelled> {
///     assert_eq!(ctx.value::<TraceId>(), Some(&"4bf92f"));
///     ctx.run(async { 42 }).await
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let request = Context::background()
///     .with_value::<TraceId>("4bf92f")
///     .with_timeout(Duration::from_secs(1));
/// assert_eq!(load(&request).await.unwrap(), 42);
/// # }
/// ```
#[derive(Clone, Default)]
pub struct Context {
    /// Who may end it; `None` for nobody.
    pub(crate) lifetime: Option<Arc<Node>>,
    pub(crate) values: Values,
}

/// A panic leaves no context half changed: values never change, and nothing foreign runs while a
/// lifetime is being changed.
impl UnwindSafe for Context {}
/// As above.
impl RefUnwindSafe for Context {}

/// Where contexts come from.
impl Context {
    /// The root of all contexts: never ends, has no deadline and no values.
    ///
    /// For `main`, for tests, and for the root of work that is really nobody's. Costs
    /// nothing: no allocation, no lock.
    ///
    /// Go: `context.Background()`.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::Context;
    ///
    /// const ROOT: Context = Context::background();
    /// assert!(!ROOT.is_done());
    /// assert_eq!(format!("{ROOT:?}"), "background");
    /// ```
    #[must_use]
    pub const fn background() -> Context {
        Context {
            lifetime: None,
            values: None,
        }
    }

    /// A root for code that has no context yet and should get one; prints the line that
    /// wrote it.
    ///
    /// Go: `context.TODO()`.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::Context;
    ///
    /// let ctx = Context::todo();
    /// assert!(!ctx.can_be_cancelled());
    /// assert!(format!("{ctx:?}").starts_with("todo("));
    /// ```
    #[track_caller]
    #[must_use]
    pub fn todo() -> Context {
        Context::of(Node::todo(Location::caller()))
    }

    /// A context that ends when `token` is cancelled, with [`Reason::Token`].
    ///
    /// The bridge from code that speaks tokens. Nothing that happens to the context cancels
    /// the token. Asking costs the token's lock, as asking the token does.
    ///
    /// A token carries no cause, also not one that came from [`token`](Context::token): behind
    /// code that takes a token and makes a context of it, the reason is `Token` and not that of
    /// the context above. Where the cause matters, hand the context itself around that code, and
    /// [`merge`](Context::merge) the two.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{CancellationToken, Context, Reason};
    ///
    /// let token = CancellationToken::new();
    /// let ctx = Context::from_token(&token);
    /// assert!(!ctx.is_done());
    /// token.cancel();
    /// assert_eq!(ctx.err().unwrap().reason(), Reason::Token);
    /// ```
    #[track_caller]
    #[must_use]
    pub fn from_token(token: &CancellationToken) -> Context {
        Context::of(Node::foreign(token.clone(), Location::caller()))
    }

    fn of(node: Node) -> Context {
        Context {
            lifetime: Some(Arc::new(node)),
            values: None,
        }
    }

    /// The same values with another lifetime.
    #[inline]
    pub(crate) fn living(&self, lifetime: Option<Arc<Node>>) -> Context {
        Context {
            lifetime,
            values: self.values.clone(),
        }
    }
}

/// Deriving lifetimes.
impl Context {
    /// A child that its guard can end.
    ///
    /// The guard derefs to the context and ends it when it is dropped, with
    /// [`Reason::GuardDropped`] and the line of this call. Bind it to a name that lives as
    /// long as the work does.
    ///
    /// Go: `context.WithCancel` and `context.WithCancelCause`, whose cancel function must be
    /// called on every path.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::Context;
    ///
    /// let parent = Context::background().with_cancel();
    /// let child = parent.with_cancel();
    /// assert!(child.cancel());
    /// assert!(child.is_done() && !parent.is_done());
    /// ```
    #[track_caller]
    pub fn with_cancel(&self) -> CancelGuard {
        let node = Node::child(self.lifetime.as_ref(), Location::caller());
        CancelGuard::new(self.living(Some(Arc::new(node))))
    }

    /// A child that ends when `after` has passed, if it did not end before.
    ///
    /// Arms no timer and needs no runtime: the deadline is an instant, which `is_done`, `err`
    /// and `check` compare to the clock; a timer exists while somebody waits. A deadline that
    /// is not earlier than the parent's changes nothing, and the parent's stays in force. A
    /// zero `after` gives a context that has ended already.
    ///
    /// The instant is one of tokio's clock, so a paused runtime decides what time it is.
    /// Timers of tokio have a resolution of one millisecond. A deadline that is more than about
    /// 580 years away is none.
    ///
    /// # Races
    ///
    /// A deadline takes effect when it is first seen: by its timer, by a question, or by a
    /// cancel that looks before it stores.
    ///
    /// - `cancel` and then the deadline: everybody is told of the cancel, also after the
    ///   deadline.
    /// - The deadline passes, somebody asks, and then `cancel`: everybody is told of the
    ///   deadline, and `cancel` returns false.
    /// - The deadline passes unseen, and then the parent is cancelled: the parent's reason, as
    ///   in Go. Of two deadlines that passed unseen, the earlier one is told.
    ///
    /// Go: `context.WithTimeout`, which arms a timer at once and leaks it until it fires,
    /// unless its cancel function is called.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tokio_ctx::Context;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let ctx = Context::background().with_timeout(Duration::from_secs(5));
    /// assert!(!ctx.is_done());
    /// assert!(ctx.done().await.is_timeout());
    /// # }
    /// ```
    #[track_caller]
    #[must_use]
    pub fn with_timeout(&self, after: Duration) -> Context {
        self.deadline_in(after, None, Location::caller())
    }

    /// The same as [`with_timeout`](Context::with_timeout), with a cause that is reported if
    /// this very deadline fires.
    ///
    /// The cause of a deadline that changes nothing, because the parent's is earlier, is
    /// never reported: it was not that deadline that fired.
    ///
    /// Go: `context.WithTimeoutCause`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tokio_ctx::Context;
    ///
    /// let ctx = Context::background().with_timeout_cause(Duration::ZERO, "ledger is slow");
    /// let text = ctx.err().unwrap().to_string();
    /// assert!(text.starts_with("deadline of 0ns exceeded: ledger is slow (set at "));
    /// ```
    #[track_caller]
    #[must_use]
    pub fn with_timeout_cause(
        &self,
        after: Duration,
        cause: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Context {
        self.deadline_in(after, Some(Arc::from(cause.into())), Location::caller())
    }

    /// A child that ends at `at`, if it did not end before; otherwise as
    /// [`with_timeout`](Context::with_timeout).
    ///
    /// Go: `context.WithDeadline`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tokio::time::Instant;
    /// use tokio_ctx::Context;
    ///
    /// let at = Instant::now() + Duration::from_secs(5);
    /// let ctx = Context::background().with_deadline(at);
    /// assert_eq!(ctx.deadline(), Some(at));
    /// // A later one changes nothing.
    /// assert_eq!(ctx.with_deadline(at + Duration::from_secs(1)).deadline(), Some(at));
    /// ```
    #[track_caller]
    #[must_use]
    pub fn with_deadline(&self, at: Instant) -> Context {
        self.deadline_at(at, None, Location::caller())
    }

    /// The same as [`with_deadline`](Context::with_deadline), with a cause that is reported
    /// if this very deadline fires.
    ///
    /// Go: `context.WithDeadlineCause`.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio::time::Instant;
    /// use tokio_ctx::Context;
    ///
    /// let ctx = Context::background().with_deadline_cause(Instant::now(), "shop closed");
    /// assert!(ctx.err().unwrap().to_string().contains("shop closed"));
    /// ```
    #[track_caller]
    #[must_use]
    pub fn with_deadline_cause(
        &self,
        at: Instant,
        cause: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Context {
        self.deadline_at(at, Some(Arc::from(cause.into())), Location::caller())
    }

    fn deadline_in(
        &self,
        after: Duration,
        cause: Option<SharedCause>,
        location: &'static Location<'static>,
    ) -> Context {
        let now = clock::now();
        self.ending_at(clock::later(now, after), now, cause, location)
    }

    fn deadline_at(
        &self,
        at: Instant,
        cause: Option<SharedCause>,
        location: &'static Location<'static>,
    ) -> Context {
        self.ending_at(clock::nanos_of(at), clock::now(), cause, location)
    }

    fn ending_at(
        &self,
        deadline: u64,
        now: u64,
        cause: Option<SharedCause>,
        location: &'static Location<'static>,
    ) -> Context {
        match self.deadline_node(deadline, now, cause, location) {
            Some(node) => self.living(Some(node)),
            None => self.clone(),
        }
    }

    /// A node that ends at `deadline`; `None` if the parent ends no later.
    fn deadline_node(
        &self,
        deadline: u64,
        now: u64,
        cause: Option<SharedCause>,
        location: &'static Location<'static>,
    ) -> Option<Arc<Node>> {
        let parent = self.lifetime.as_ref();
        if deadline >= parent.map_or(NEVER, |parent| parent.deadline()) {
            foreign::discard(cause);
            return None;
        }
        // A deadline that has passed is none of its own where the parent ended already: the two
        // say the same.
        let after = match deadline <= now && self.is_done() {
            true => NEVER,
            false => deadline.saturating_sub(now),
        };
        let mut node = Node::with_deadline(parent, deadline, after, location);
        if let Some(cause) = cause {
            node = node.with_rare(Rare::Cause(cause));
        }
        let node = Arc::new(node);
        if deadline <= now {
            // Ended at birth, for every clock.
            let _ = node.outcome();
        }
        Some(node)
    }

    /// A child with a guard and, in the same node, a deadline if there is to be one.
    pub(crate) fn begin(
        &self,
        after: Option<Duration>,
        cause: Option<SharedCause>,
        location: &'static Location<'static>,
    ) -> CancelGuard {
        let limited = after.and_then(|after| {
            let now = clock::now();
            self.deadline_node(clock::later(now, after), now, cause, location)
        });
        let node =
            limited.unwrap_or_else(|| Arc::new(Node::child(self.lifetime.as_ref(), location)));
        CancelGuard::new(self.living(Some(node)))
    }

    /// A child whose deadline is a share of the time that remains.
    ///
    /// Worked out once, to an instant, so nothing drifts.
    ///
    /// # Errors
    ///
    /// The context's own [`Cancelled`] when it has ended, and one with
    /// [`Reason::BudgetExhausted`] when the share is smaller than
    /// [`Budget::at_least`] asks: work that cannot be finished is not started.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tokio_ctx::{Budget, Context, Reason};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let request = Context::background().with_timeout(Duration::from_secs(10));
    /// let query = request.with_budget(Budget::fraction(0.8)).unwrap();
    /// assert_eq!(query.remaining(), Some(Duration::from_secs(8)));
    ///
    /// let hopeless = Budget::reserve(Duration::from_secs(9)).at_least(Duration::from_secs(2));
    /// let refused = request.with_budget(hopeless).unwrap_err();
    /// assert_eq!(refused.reason(), Reason::BudgetExhausted);
    /// # }
    /// ```
    #[track_caller]
    pub fn with_budget(&self, budget: Budget) -> Result<Context, Cancelled> {
        let location = Location::caller();
        self.check()?;
        let granted = budget.grant(self.remaining()).map_err(|shortage| {
            Cancelled::new(Facts {
                reason: Reason::BudgetExhausted,
                location,
                after: None,
                name: None,
                cause: Some(Arc::new(shortage)),
            })
        })?;
        Ok(match granted {
            Some(after) => self.deadline_in(after, None, location),
            None => self.clone(),
        })
    }

    /// A child with a name, which [`Cancelled`] shows for it and for all below it.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tokio_ctx::Context;
    ///
    /// let ctx = Context::background().with_name("checkout").with_timeout(Duration::ZERO);
    /// let text = ctx.err().unwrap().to_string();
    /// assert!(text.starts_with("in context \"checkout\": deadline of 0ns exceeded"));
    /// ```
    #[track_caller]
    #[must_use]
    pub fn with_name(&self, name: impl Into<Cow<'static, str>>) -> Context {
        let node = Node::child(self.lifetime.as_ref(), Location::caller())
            .with_rare(Rare::Name(name.into()));
        self.living(Some(Arc::new(node)))
    }

    /// These values without the cancellation: never ends, has no deadline.
    ///
    /// A shield for work that must not be cut short, such as a commit. The scope around this
    /// context stays the scope around the shield: if a scope that was opened on the shield is
    /// dropped unfinished, its tasks are waited for there. To hand work to another context, use
    /// [`detach_onto`](Context::detach_onto). Values whose key does not survive a detach are
    /// left behind.
    ///
    /// Go: `context.WithoutCancel`.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Context, key};
    ///
    /// key! { TraceId: u32 }
    ///
    /// let request = Context::background().with_cancel().map(|ctx| ctx.with_value::<TraceId>(7));
    /// let detached = request.without_cancel();
    /// request.cancel();
    /// assert!(!detached.is_done());
    /// assert_eq!(detached.value::<TraceId>(), Some(&7));
    /// ```
    #[track_caller]
    #[must_use]
    pub fn without_cancel(&self) -> Context {
        let shield = |node| Node::shield(node, Location::caller());
        Context {
            lifetime: self.lifetime.as_ref().and_then(shield).map(Arc::new),
            values: value::detached(&self.values),
        }
    }

    /// These values with the lifetime of `lifetime`.
    ///
    /// For work that outlives its request but not its server. Values whose key does not
    /// survive a detach are left behind.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Context, key};
    ///
    /// key! { TraceId: u32 }
    ///
    /// let server = Context::background().with_cancel();
    /// let request = server.with_value::<TraceId>(7).with_cancel();
    /// let audit = request.detach_onto(&server);
    /// drop(request);
    /// assert!(!audit.is_done());
    /// server.cancel();
    /// assert!(audit.is_done());
    /// assert_eq!(audit.value::<TraceId>(), Some(&7));
    /// ```
    #[must_use]
    pub fn detach_onto(&self, lifetime: &Context) -> Context {
        Context {
            lifetime: lifetime.lifetime.clone(),
            values: value::detached(&self.values),
        }
    }

    /// A context with these values that ends when this one or `other` does, and at the
    /// earlier deadline.
    ///
    /// Which of the two is reported, if both ended before anybody looked, is decided by the
    /// first look and stays so. Registers nothing with the parents until somebody waits, and
    /// leaves nothing there afterwards. Asking costs a walk over both chains, and over those of
    /// each merge above, once each.
    ///
    /// # Races
    ///
    /// - One parent ends, somebody looks at the merge, and then the other ends: the first.
    /// - Both end, and then somebody looks: one of the two, and the same for every later look
    ///   on every thread, at the merge and below it.
    /// - A waiter and either parent: the waiter is woken, whichever parent it was.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::Context;
    ///
    /// let request = Context::background().with_cancel();
    /// let tenant = Context::background().with_cancel();
    /// let both = request.merge(&tenant);
    /// tenant.cancel_with("tenant suspended");
    /// assert!(both.err().unwrap().to_string().contains("tenant suspended"));
    /// assert!(!request.is_done());
    /// ```
    #[track_caller]
    #[must_use]
    pub fn merge(&self, other: &Context) -> Context {
        let (Some(one), Some(two)) = (&self.lifetime, &other.lifetime) else {
            return self.living(self.lifetime.clone().or_else(|| other.lifetime.clone()));
        };
        // What ends no earlier than the other, or never, adds nothing. Of a merge only what is
        // known is asked: to look at all that it is made of would make a loop quadratic.
        if !two.can_end() || is_below(one, two) || one.chain_is_ended() {
            return self.clone();
        }
        let adds_nothing =
            (!one.can_end() || two.chain_is_ended()) && one.owners().next().is_none();
        if adds_nothing || is_below(two, one) {
            return self.living(Some(Arc::clone(two)));
        }
        let node = Node::merged(one, two, Location::caller());
        self.living(Some(Arc::new(node)))
    }
}

/// Whether `node` is `ancestor` or below it.
fn is_below(node: &Arc<Node>, ancestor: &Arc<Node>) -> bool {
    node.lineage().any(|above| Arc::ptr_eq(above, ancestor))
}

/// Values.
impl Context {
    /// These lifetime and values with one more value, which hides an ancestor's of the same
    /// key.
    ///
    /// Go: `context.WithValue`.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Context, key};
    ///
    /// key! { Item: usize }
    ///
    /// let batch = Context::background();
    /// let items: Vec<Context> = (0..3).map(|id| batch.with_value::<Item>(id)).collect();
    /// assert_eq!(items[2].value::<Item>(), Some(&2));
    /// assert_eq!(batch.value::<Item>(), None);
    /// ```
    #[must_use]
    pub fn with_value<K: Key>(&self, value: K::Value) -> Context {
        Context {
            lifetime: self.lifetime.clone(),
            values: value::with_value::<K>(&self.values, value),
        }
    }

    /// These lifetime and values with the value of `K` hidden.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Context, key};
    ///
    /// key! { User: u32 }
    ///
    /// let ctx = Context::background().with_value::<User>(7);
    /// assert_eq!(ctx.without_value::<User>().value::<User>(), None);
    /// assert_eq!(ctx.value::<User>(), Some(&7));
    /// ```
    #[must_use]
    pub fn without_value<K: Key>(&self) -> Context {
        Context {
            lifetime: self.lifetime.clone(),
            values: value::without_value::<K>(&self.values),
        }
    }

    /// The nearest value of `K`, or `None`: absence is ordinary.
    ///
    /// A key that is absent is usually refused by one comparison; otherwise the cost grows
    /// with the number of values above.
    ///
    /// Go: `ctx.Value`.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Context, key};
    ///
    /// key! { User: u32 }
    ///
    /// assert_eq!(Context::background().value::<User>(), None);
    /// assert_eq!(Context::background().with_value::<User>(7).value::<User>(), Some(&7));
    /// ```
    #[must_use]
    pub fn value<K: Key>(&self) -> Option<&K::Value> {
        value::value::<K>(&self.values)
    }

    /// The values that may be printed, by the names of their keys, nearest first.
    ///
    /// For log lines and spans: each text is one line, with control characters escaped. A value
    /// whose key did not opt in is not among them.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Context, key};
    ///
    /// key! {
    ///     TraceId: u32, print;
    ///     Password: String;
    /// }
    ///
    /// let ctx = Context::background()
    ///     .with_value::<TraceId>(7)
    ///     .with_value::<Password>("hunter2".into());
    /// let shown: Vec<String> = ctx
    ///     .printable_values()
    ///     .map(|(name, value)| format!("{name}={value}"))
    ///     .collect();
    /// assert_eq!(shown, ["TraceId=7"]);
    /// ```
    pub fn printable_values(&self) -> impl Iterator<Item = (&'static str, impl fmt::Display)> {
        value::visible(&self.values)
            .filter_map(|entry| Some((entry.name(), OneLine(entry.display()?))))
    }
}

/// Asking.
impl Context {
    /// Whether the context ended.
    ///
    /// Costs a load per ancestor, and a look at the clock if there is a deadline. Runs no
    /// callback, takes no lock while the context is live, and sees a deadline that no timer
    /// watches: made for loops that compute.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::Context;
    ///
    /// let ctx = Context::background().with_cancel();
    /// assert!(!ctx.is_done());
    /// ctx.cancel();
    /// assert!(ctx.is_done());
    /// ```
    #[inline]
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.lifetime.as_ref().is_some_and(|node| node.is_done())
    }

    /// Why the context ended; `None` while it has not.
    ///
    /// Go: `ctx.Err()` and `context.Cause(ctx)`.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::Context;
    ///
    /// let ctx = Context::background().with_cancel();
    /// assert!(ctx.err().is_none());
    /// ctx.cancel_with("enough");
    /// assert!(ctx.err().unwrap().to_string().starts_with("cancelled: enough"));
    /// ```
    #[must_use]
    pub fn err(&self) -> Option<Cancelled> {
        self.lifetime.as_ref()?.outcome()
    }

    /// [`err`](Context::err) for the `?` operator.
    ///
    /// # Errors
    ///
    /// Why the context ended, if it did.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Cancelled, Context};
    ///
    /// fn sum(ctx: &Context, numbers: &[u64]) -> Result<u64, Cancelled> {
    ///     let mut sum = 0;
    ///     for number in numbers {
    ///         ctx.check()?;
    ///         sum += number;
    ///     }
    ///     Ok(sum)
    /// }
    /// assert_eq!(sum(&Context::background(), &[1, 2, 3]).unwrap(), 6);
    /// ```
    pub fn check(&self) -> Result<(), Cancelled> {
        self.err().map_or(Ok(()), Err)
    }

    /// The instant at which the context ends at the latest.
    ///
    /// Answers also after the context ended.
    ///
    /// Go: `ctx.Deadline()`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tokio::time::Instant;
    /// use tokio_ctx::Context;
    ///
    /// let at = Instant::now() + Duration::from_secs(1);
    /// assert_eq!(Context::background().deadline(), None);
    /// assert_eq!(Context::background().with_deadline(at).deadline(), Some(at));
    /// ```
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        match self.lifetime.as_ref()?.deadline() {
            NEVER => None,
            nanos => Some(clock::instant_of(nanos)),
        }
    }

    /// The time until the deadline; zero when it passed.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tokio_ctx::Context;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let ctx = Context::background().with_timeout(Duration::from_secs(5));
    /// tokio::time::advance(Duration::from_secs(2)).await;
    /// assert_eq!(ctx.remaining(), Some(Duration::from_secs(3)));
    /// # }
    /// ```
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        match self.lifetime.as_ref()?.deadline() {
            NEVER => None,
            nanos => Some(Duration::from_nanos(nanos.saturating_sub(clock::now()))),
        }
    }

    /// Whether anything can end the context: `false` for a root and for values on one.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::Context;
    ///
    /// let root = Context::background();
    /// assert!(!root.can_be_cancelled());
    /// assert!(root.with_cancel().can_be_cancelled());
    /// ```
    #[must_use]
    pub fn can_be_cancelled(&self) -> bool {
        self.lifetime.as_ref().is_some_and(Node::can_end)
    }
}

/// Waiting.
impl Context {
    /// Waits until the context ends, and tells why.
    ///
    /// Made to be called anew in each round of a `select!` loop: it allocates only when it
    /// is the first to wait on this context. Works on any executor; on one that is not
    /// tokio's, deadlines are watched by a thread of this crate.
    ///
    /// # Races
    ///
    /// - The context ends before the first poll: ready at once.
    /// - It ends while the future starts to wait: ready, or woken; there is no moment in
    ///   between at which the end is missed.
    /// - It is woken: [`err`](Context::err) has the outcome already, and every other way of
    ///   asking agrees.
    ///
    /// Go: `<-ctx.Done()`.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropping the future loses nothing, and a later one is ready at once.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::Context;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let ctx = Context::background().with_cancel();
    /// let (sender, mut receiver) = tokio::sync::mpsc::channel(1);
    /// sender.send(1).await.unwrap();
    ///
    /// let mut sum = 0;
    /// loop {
    ///     tokio::select! {
    ///         biased;
    ///         _ = ctx.done() => break,
    ///         Some(number) = receiver.recv() => {
    ///             sum += number;
    ///             ctx.cancel();
    ///         }
    ///     }
    /// }
    /// assert_eq!(sum, 1);
    /// # }
    /// ```
    pub fn done(&self) -> Done<'_> {
        Done::new(self.lifetime.as_ref())
    }

    /// [`done`](Context::done) as a future that borrows nothing.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe, as [`done`](Context::done) is.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::Context;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let ctx = Context::background().with_cancel();
    /// let waiter = tokio::spawn(ctx.done_owned());
    /// ctx.cancel_with("closing time");
    /// assert!(waiter.await.unwrap().to_string().contains("closing time"));
    /// # }
    /// ```
    pub fn done_owned(&self) -> DoneOwned {
        DoneOwned::new(self.lifetime.clone())
    }

    /// Runs `future` until it is finished or the context ends.
    ///
    /// Refuses to start when the context has ended. After that the future is always polled
    /// first, so a value that is finished wins over a cancel that comes at the same moment.
    /// When the context ends, the future is dropped where it stands, that is at an `await`.
    ///
    /// # Races
    ///
    /// - The context ends, and then `run` is polled for the first time: `Err`, and the future
    ///   was not polled.
    /// - The future is ready and the context ends, before the same poll: `Ok`.
    /// - The context ends while the future is pending: `Err`, and the future is dropped in the
    ///   poll that says so.
    ///
    /// # Errors
    ///
    /// The output is `Err` with why the context ended, when that was first.
    ///
    /// # Cancel safety
    ///
    /// As cancel safe as `future` is.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tokio_ctx::Context;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let ctx = Context::background().with_timeout(Duration::from_millis(50));
    /// assert_eq!(ctx.run(async { 7 }).await.unwrap(), 7);
    ///
    /// let slow = tokio::time::sleep(Duration::from_secs(1));
    /// assert!(ctx.run(slow).await.unwrap_err().is_timeout());
    /// # }
    /// ```
    pub fn run<F: Future>(&self, future: F) -> Run<F> {
        Run::new(self.done_owned(), future)
    }

    /// Runs `callback` once when the context ends; at once, before this returns, when it has
    /// ended.
    ///
    /// It runs on the stack of whoever ends the context, or of the runtime's timer, so it
    /// must be short: set a flag, interrupt a query, wake somebody. No lock of ours is held while
    /// it runs, so it may use any context, this one included. A panic in it is logged and harms
    /// nobody else. Asking (`is_done`, `err`, `check`) never runs it: of a deadline that is first
    /// noticed by a question, it runs on a thread of this crate.
    ///
    /// # Deadlocks
    ///
    /// On a context that has ended the callback runs before this returns. If it takes a lock that
    /// the caller of `on_cancel` holds, the two wait for each other. Register before the lock is
    /// taken, or let the callback hand its work on instead of doing it: set a flag, send a
    /// message, wake a task. The same holds for [`cancel`](CancelGuard::cancel) under a lock that
    /// a callback takes.
    ///
    /// Dropping the registration stops it. No task is made, and a context that is dropped
    /// without having ended takes its callbacks with it. A callback that holds the context it
    /// is registered on keeps it alive, until it ends or the registration is dropped.
    ///
    /// # Races
    ///
    /// - The context ends, and then the callback is registered: it has run when `on_cancel`
    ///   returns, and [`stop`](OnCancel::stop) says false.
    /// - `stop` says true, and then the context ends: it never runs, and what it held is
    ///   dropped.
    /// - Both at once: exactly one of the two wins. If `stop` says false, the callback ran, or
    ///   is running, or is about to, on the other thread; `stop` does not wait for it.
    /// - The registration and the end at once: it runs exactly once, on one of the two threads.
    ///
    /// Go: `context.AfterFunc`, which starts a goroutine per call.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::sync::atomic::{AtomicBool, Ordering};
    /// use tokio_ctx::Context;
    ///
    /// let interrupted = Arc::new(AtomicBool::new(false));
    /// let ctx = Context::background().with_cancel();
    /// let flag = Arc::clone(&interrupted);
    /// let registration = ctx.on_cancel(move |_why| flag.store(true, Ordering::Relaxed));
    ///
    /// ctx.cancel();
    /// assert!(interrupted.load(Ordering::Relaxed));
    /// assert!(!registration.stop(), "it ran, so there was nothing to prevent");
    /// ```
    #[track_caller]
    pub fn on_cancel(&self, callback: impl FnOnce(&Cancelled) + Send + 'static) -> OnCancel {
        let location = Location::caller();
        match &self.lifetime {
            // Never run, but stopping it says that it was prevented.
            None => OnCancel::never(Box::new(callback)),
            Some(node) => OnCancel::of(node.on_cancel(Box::new(callback), location)),
        }
    }

    /// A token that is cancelled when the context ends, for code that speaks tokens.
    ///
    /// Cancelling the token cancels nothing of ours. It lags behind
    /// [`is_done`](Context::is_done) by as long as the cancel takes to get there.
    ///
    /// The token does not keep the context: once nothing else does, its deadline is nobody's
    /// business any more, and only an end further up still cancels the token. Hold the context,
    /// or something derived from it, for as long as the token is used.
    ///
    /// # Races
    ///
    /// - The context ends, and then `token` is called: the token is cancelled.
    /// - Both at once: the token is cancelled, now or when the cancel gets there.
    /// - The token is seen cancelled: [`err`](Context::err) has the outcome already.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::Context;
    ///
    /// let ctx = Context::background().with_cancel();
    /// let token = ctx.token();
    /// ctx.cancel();
    /// assert!(token.is_cancelled());
    ///
    /// let other = Context::background().with_cancel();
    /// other.token().cancel();
    /// assert!(!other.is_done());
    /// ```
    #[must_use]
    pub fn token(&self) -> CancellationToken {
        let Some(node) = &self.lifetime else {
            return CancellationToken::new();
        };
        let token = if node.arm() { node.token() } else { None };
        match token {
            Some(token) => token.child_token(),
            None => {
                let ended = CancellationToken::new();
                ended.cancel();
                ended
            }
        }
    }
}
