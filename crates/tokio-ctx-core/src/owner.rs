//! The seam for crates that own lifetimes: task scopes, services.
//!
//! Applications need none of this. An owner hangs on a lifetime, not on values, so it is
//! found along the chain that decides when work must stop: work detached onto a server's
//! context finds the server's owner, not the request's.

use std::any::Any;
use std::error::Error;
use std::panic::Location;
use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::cancelled::{Cancelled, Reason};
use crate::context::Context;
use crate::guard::{CancelGuard, CancelHandle};
use crate::node::{Extra, Node};

pub use crate::foreign::{discard, quietly, whole};
pub use crate::one_line::one_line;

pub mod in_flight;

/// The right to end a child of `ctx` that knows its owner, on behalf of the line at `location`.
///
/// The owner is held weakly: a context keeps no scope alive. The child has no values, so that an
/// owner can outlive the work it owns without keeping them: see [`with_values_of`].
///
/// # Examples
///
/// ```
/// use std::any::Any;
/// use std::panic::Location;
/// use std::sync::{Arc, Weak};
/// use tokio_ctx_core::{Context, owner};
///
/// let scope: Arc<dyn Any + Send + Sync> = Arc::new("outer");
/// let handle = owner::attach(&Context::background(), Arc::downgrade(&scope), Location::caller());
/// let nearest = owner::enclosing(owner::context(&handle)).next().unwrap();
/// assert_eq!(nearest.downcast_ref(), Some(&"outer"));
/// ```
#[must_use]
#[inline]
pub fn attach(
    ctx: &Context,
    owner: Weak<dyn Any + Send + Sync>,
    location: &'static Location<'static>,
) -> CancelHandle {
    let node = Node::child(ctx.lifetime.as_ref(), location).with_extra(Extra::Owner(owner));
    CancelHandle::new(Some(Arc::new(node)))
}

/// The context that `handle` can end, without values.
///
/// # Examples
///
/// ```
/// use tokio_ctx_core::{Context, owner};
///
/// let guard = Context::background().with_cancel();
/// let handle = guard.handle();
/// handle.cancel();
/// assert!(owner::context(&handle).is_done());
/// ```
#[must_use]
#[inline]
pub fn context(handle: &CancelHandle) -> &Context {
    handle.context()
}

/// The context that `handle` can end, with the values of `ctx`. `None` when that has no values:
/// [`context`] is all there is then.
///
/// # Examples
///
/// ```
/// use tokio_ctx_core::{Context, key, owner};
///
/// key! { User: u32 }
///
/// let ctx = Context::background().with_value::<User>(7);
/// let handle = ctx.with_cancel().handle();
/// assert_eq!(owner::context(&handle).value::<User>(), None);
/// assert_eq!(owner::with_values_of(&handle, &ctx).unwrap().value::<User>(), Some(&7));
/// assert!(owner::with_values_of(&handle, &Context::background()).is_none());
/// ```
#[must_use]
#[inline]
pub fn with_values_of(handle: &CancelHandle, ctx: &Context) -> Option<Context> {
    let has_values = ctx.values.is_some();
    has_values.then(|| ctx.living(handle.context().lifetime.clone()))
}

/// A child with its guard and, in the same node, a deadline: what a service needs for each
/// request, on behalf of the line at `location`.
///
/// A deadline that is not earlier than the parent's changes nothing, as ever. If it is this
/// deadline that ends the context, the cause of the deadline of `cause_of` is reported: one context
/// that has it stands for all that begin with it.
///
/// # Examples
///
/// ```
/// use std::panic::Location;
/// use std::time::Duration;
/// use tokio_ctx_core::{Context, Reason, owner};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// let after = Some(Duration::from_secs(1));
/// let request = owner::begin(&Context::background(), after, None, Location::caller());
/// assert_eq!(request.remaining(), after);
/// assert!(request.cancel());
/// assert_eq!(request.err().unwrap().reason(), Reason::Cancelled);
///
/// let slow = Context::background().with_timeout_cause(Duration::from_secs(1), std::fmt::Error);
/// let after = Some(Duration::ZERO);
/// let request = owner::begin(&Context::background(), after, Some(&slow), Location::caller());
/// assert!(request.err().unwrap().cause::<std::fmt::Error>().is_some());
/// # }
/// ```
pub fn begin(
    ctx: &Context,
    after: Option<Duration>,
    cause_of: Option<&Context>,
    location: &'static Location<'static>,
) -> CancelGuard {
    let extra = cause_of.and_then(|ctx| ctx.lifetime.as_ref()?.extra.clone());
    let cause = extra.filter(|extra| matches!(**extra, Extra::Cause(_)));
    ctx.begin(after, cause, location)
}

/// The owners on the lifetime of `ctx` that are still there, nearest first, its own included.
///
/// Of a merged context only the chain above the merge's first parent is followed beyond the
/// merge.
///
/// # Examples
///
/// ```
/// use tokio_ctx_core::{Context, owner};
/// assert_eq!(owner::enclosing(&Context::background()).count(), 0);
/// ```
pub fn enclosing(ctx: &Context) -> impl Iterator<Item = Arc<dyn Any + Send + Sync>> {
    let owners = ctx.lifetime.iter().flat_map(Node::owners);
    owners.filter_map(Weak::upgrade)
}

/// Ends a context as `cancelled` says, unless it ended before. Returns whether it did.
///
/// # Examples
///
/// ```
/// use std::panic::Location;
/// use tokio_ctx_core::{Context, Reason, owner};
///
/// let ctx = Context::background().with_cancel();
/// let gone = owner::cancelled(Reason::CallerGone, Location::caller(), None);
/// assert!(owner::cancel(&ctx.handle(), gone));
/// assert_eq!(ctx.err().unwrap().reason(), Reason::CallerGone);
/// ```
pub fn cancel(handle: &CancelHandle, cancelled: Cancelled) -> bool {
    handle.cancel_as(cancelled)
}

/// Ends a context whose work has come to its own end. Returns whether that was what ended it.
///
/// It looks at no clock, where [`cancel`] does: work that is over in time does not become late
/// because a deadline passes while it is put away.
///
/// # Examples
///
/// ```
/// use std::panic::Location;
/// use std::time::Duration;
/// use tokio_ctx_core::{Context, Reason, owner};
///
/// let ctx = Context::background().with_timeout(Duration::from_millis(1)).with_cancel();
/// std::thread::sleep(Duration::from_millis(2)); // and nobody looks
/// let finished = owner::cancelled(Reason::ScopeFinished, Location::caller(), None);
/// assert!(owner::finish(&ctx.handle(), finished));
/// assert_eq!(ctx.err().unwrap().reason(), Reason::ScopeFinished);
/// ```
pub fn finish(handle: &CancelHandle, cancelled: Cancelled) -> bool {
    let node = handle.context().lifetime.as_ref();
    node.is_some_and(|node| node.finish(cancelled))
}

/// Whether `ctx` was ended, or was seen to have ended. It looks at no clock: for code that
/// also waits for the context, and so is woken at its deadline.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tokio_ctx_core::{Context, owner};
///
/// let ctx = Context::background().with_timeout(Duration::from_millis(1));
/// std::thread::sleep(Duration::from_millis(2));
/// assert!(!owner::has_ended(&ctx)); // nobody has looked
/// assert!(ctx.is_done());
/// assert!(owner::has_ended(&ctx));
/// ```
#[must_use]
#[inline]
pub fn has_ended(ctx: &Context) -> bool {
    ctx.lifetime.as_ref().is_some_and(|node| node.is_ended())
}

/// A [`Cancelled`] that did not come from a context.
///
/// # Examples
///
/// ```
/// use std::panic::Location;
/// use tokio_ctx_core::{Reason, owner};
///
/// let lost = owner::cancelled(Reason::TaskLost, Location::caller(), None);
/// assert_eq!(lost.reason(), Reason::TaskLost);
/// ```
#[must_use]
pub fn cancelled(
    reason: Reason,
    location: &'static Location<'static>,
    cause: Option<Arc<dyn Error + Send + Sync>>,
) -> Cancelled {
    Cancelled::new(reason, location, cause)
}
