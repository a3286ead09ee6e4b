//! Deriving: cancellation, deadlines, detaching, merging.

use std::borrow::Cow;
use std::error::Error;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Context;
use crate::budget::Budget;
use crate::cancelled::{Cancelled, Place, Reason, SharedCause, shared};
use crate::foreign;
use crate::node::{Extra, Node};
use crate::sync::clock::{self, NEVER};
use crate::value;

/// Deriving lifetimes.
impl Context {
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
    /// - `cancel` and then the deadline: the outcome is the cancel for every reader, also after the
    ///   deadline.
    /// - The deadline passes, one reader asks, and then `cancel`: the outcome is the deadline for
    ///   every reader, and `cancel` returns false.
    /// - The deadline passes unseen, and then the parent is cancelled: the parent's reason, as
    ///   in Go. Of two deadlines that passed unseen, the earlier one counts.
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
        self.ending_in(after, None, Location::caller())
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
        self.ending_in(after, Some(shared(cause)), Location::caller())
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
        self.ending_at(clock::nanos_of(at), clock::now(), None, Location::caller())
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
        let (at, cause) = (clock::nanos_of(at), shared(cause));
        self.ending_at(at, clock::now(), Some(cause), Location::caller())
    }

    fn ending_in(&self, after: Duration, cause: Option<SharedCause>, location: Place) -> Context {
        let now = clock::now();
        self.ending_at(clock::later(now, after), now, cause, location)
    }

    fn ending_at(
        &self,
        deadline: u64,
        now: u64,
        cause: Option<SharedCause>,
        location: Place,
    ) -> Context {
        let cause = cause.map(|cause| Arc::new(Extra::Cause(cause)));
        match self.deadline_node(deadline, now, cause, location) {
            Some(node) => self.living(Some(node)),
            None => self.clone(),
        }
    }

    /// A node that ends at `deadline`; `None` if the parent ends no later.
    pub(crate) fn deadline_node(
        &self,
        deadline: u64,
        now: u64,
        cause: Option<Arc<Extra>>,
        location: Place,
    ) -> Option<Arc<Node>> {
        let parent = self.lifetime.as_ref();
        if deadline >= parent.map_or(NEVER, |parent| parent.deadline) {
            foreign::discard(cause);
            return None;
        }
        // A deadline that has passed is none of its own where the parent ended already: the two
        // say the same.
        let after = match deadline <= now && self.is_done() {
            true => NEVER,
            false => deadline.saturating_sub(now),
        };
        let node = Node::with_deadline(parent, deadline, after, cause, location);
        let node = Arc::new(node);
        if deadline <= now {
            // Ended at birth, for every clock.
            let _ = node.outcome();
        }
        Some(node)
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
            Cancelled::new(Reason::BudgetExhausted, location, Some(shared(shortage)))
        })?;
        Ok(match granted {
            Some(after) => self.ending_in(after, None, location),
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
            .with_extra(Extra::Name(name.into()));
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
    /// Which of the two is reported, if both ended before the merge was first asked, is decided
    /// then and stays so; of two deadlines it is the earlier. Registers nothing with the parents until the merge is waited on, and
    /// leaves nothing there afterwards. Asking costs a walk over both chains, and over those of
    /// each merge above, once each.
    ///
    /// # Races
    ///
    /// - One parent ends, the merge is asked, and then the other ends: the first.
    /// - Both end, and then the merge is asked: one of the two, and the same for every later look
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
