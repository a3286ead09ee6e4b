//! The handle: [`Context`]. One file for each chapter of what it can do.

mod ask;
mod derive;
mod values;
mod wait;

use std::panic::{Location, RefUnwindSafe, UnwindSafe};
use std::sync::Arc;

use crate::foreign;
use crate::node::{Extra, Node};
use crate::sync::CancellationToken;
use crate::value::Values;

/// The lifetime and the values of one piece of work, to be handed down to all it calls.
///
/// A context tells its holder when to stop ([`done`](Context::done),
/// [`is_done`](Context::is_done), [`check`](Context::check)), why
/// ([`err`](Context::err)), by when ([`deadline`](Context::deadline)), and carries the values
/// of its request ([`value`](Context::value)). It never changes: each `with_…` derives a new
/// one, and whatever ends a context ends all that were derived from it. Holding a context
/// gives no right to end it; that is what [`CancelGuard`](crate::CancelGuard) is for.
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
/// - once one reader saw "A" in the grandchild, no reader ever sees "B" in the child.
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
/// types; a deadline is compared to the clock when it is asked for, and needs a timer only while
/// a task waits; a child that is forgotten leaks nothing, because parents keep no list of
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
    /// What may end it; `None` if nothing can.
    pub(crate) lifetime: Option<Arc<Node>>,
    pub(crate) values: Values,
}

impl Drop for Context {
    /// The last handle may be dropped anywhere: by a runtime that shuts down, at the end of
    /// another task, while a thread unwinds. A value whose drop panics harms none of them.
    #[inline]
    fn drop(&mut self) {
        if let Some(values) = self.values.take() {
            foreign::discard(values);
        }
    }
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
    /// For `main`, for tests, and for the root of work that belongs to no request. Costs
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
        let node = Node::child(None, Location::caller()).with_extra(Extra::Todo);
        Context::background().living(Some(Arc::new(node)))
    }

    /// A context that ends when `token` is cancelled, with [`Reason::Token`](crate::Reason::Token).
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
        let node = Node::foreign(token.clone(), Location::caller());
        Context::background().living(Some(Arc::new(node)))
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
