//! The seam for crates that own lifetimes: task scopes, services.
//!
//! Applications need none of this. An owner hangs on a lifetime, not on values, so it is
//! found along the chain that decides when work must stop: work detached onto a server's
//! context finds the server's owner, not the request's.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::panic::Location;
use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::cancelled::{Cancelled, Facts, Reason};
use crate::context::Context;
use crate::guard::{CancelGuard, CancelHandle};
use crate::node::{self, Node};

/// A child lifetime that knows its owner.
///
/// The owner is held weakly: a context keeps no scope alive.
///
/// # Examples
///
/// ```
/// use std::any::Any;
/// use std::sync::{Arc, Weak};
/// use tokio_ctx::{Context, owner};
///
/// let scope: Arc<dyn Any + Send + Sync> = Arc::new("outer");
/// let ctx = owner::attach(&Context::background(), Arc::downgrade(&scope));
/// let nearest = owner::enclosing(&ctx).next().unwrap();
/// assert_eq!(nearest.downcast_ref(), Some(&"outer"));
/// ```
#[track_caller]
pub fn attach(ctx: &Context, owner: Weak<dyn Any + Send + Sync>) -> CancelGuard {
    attach_at(ctx, owner, Location::caller())
}

/// The same as [`attach`], on behalf of the line at `location`.
///
/// # Examples
///
/// ```
/// use std::any::Any;
/// use std::panic::Location;
/// use std::sync::Weak;
/// use tokio_ctx::{Context, owner};
///
/// let nobody: Weak<dyn Any + Send + Sync> = Weak::<u8>::new();
/// let here = Location::caller();
/// let ctx = owner::attach_at(&Context::background(), nobody, here);
/// assert!(format!("{:?}", &*ctx).ends_with(&format!("scope({}:{})", here.file(), here.line())));
/// ```
pub fn attach_at(
    ctx: &Context,
    owner: Weak<dyn Any + Send + Sync>,
    location: &'static Location<'static>,
) -> CancelGuard {
    let node = Node::owned(ctx.lifetime.as_ref(), location, owner);
    CancelGuard::new(ctx.living(Some(Arc::new(node))))
}

/// A child lifetime with its guard and, in the same node, a deadline: what a service needs for
/// each request.
///
/// A deadline that is not earlier than the parent's changes nothing, as ever.
///
/// # Examples
///
/// ```
/// use std::panic::Location;
/// use std::time::Duration;
/// use tokio_ctx::{Context, Reason, owner};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// let limit = owner::Limit::new(Duration::from_secs(1), None);
/// let request = owner::begin(&Context::background(), Some(&limit), Location::caller());
/// assert_eq!(request.remaining(), Some(Duration::from_secs(1)));
/// assert!(request.cancel());
/// assert_eq!(request.err().unwrap().reason(), Reason::Explicit);
/// # }
/// ```
pub fn begin(
    ctx: &Context,
    limit: Option<&Limit>,
    location: &'static Location<'static>,
) -> CancelGuard {
    ctx.begin(limit.map(|limit| &limit.0), location)
}

/// How long a lifetime may last, with the cause to report if it lasts longer: what many
/// lifetimes have in common, worked out once.
///
/// # Examples
///
/// ```
/// use std::panic::Location;
/// use std::sync::Arc;
/// use std::time::Duration;
/// use tokio_ctx::{Context, owner};
///
/// let cause = Arc::<dyn std::error::Error + Send + Sync>::from(Box::from("too slow"));
/// let limit = owner::Limit::new(Duration::ZERO, Some(cause));
/// let request = owner::begin(&Context::background(), Some(&limit), Location::caller());
/// assert!(request.err().unwrap().to_string().contains("too slow"));
/// ```
#[derive(Clone)]
pub struct Limit(node::Limit);

impl Limit {
    /// A limit of `after`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::panic::Location;
    /// use std::time::Duration;
    /// use tokio_ctx::{Context, owner};
    ///
    /// let limit = owner::Limit::new(Duration::ZERO, None);
    /// let request = owner::begin(&Context::background(), Some(&limit), Location::caller());
    /// assert!(request.is_done());
    /// ```
    #[must_use]
    pub fn new(after: Duration, cause: Option<Arc<dyn Error + Send + Sync>>) -> Limit {
        Limit(node::Limit::new(after, cause))
    }
}

impl fmt::Debug for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limit").finish_non_exhaustive()
    }
}

/// Ends the context of `guard` as `cancelled` says, unless it ended before, and more cheaply
/// than [`cancel`] when nobody but the guard knows it any more. Returns whether it was live.
///
/// The guard is of no more use then: a context that nobody else knew is let go unended, and
/// what the guard derefs to is the background.
///
/// # Examples
///
/// ```
/// use std::panic::Location;
/// use tokio_ctx::{Context, Reason, owner};
///
/// let mut guard = Context::background().with_cancel();
/// let ctx = Context::clone(&guard);
/// let finished = owner::cancelled(Reason::RequestFinished, Location::caller(), None);
/// assert!(owner::end(&mut guard, finished.clone()));
/// assert!(!owner::end(&mut guard, finished));
/// assert_eq!(ctx.err().unwrap().reason(), Reason::RequestFinished);
/// ```
pub fn end(guard: &mut CancelGuard, cancelled: Cancelled) -> bool {
    guard.end(cancelled)
}

/// Ends the context of `handle` as `cancelled` says, when its owner is done with it, and more
/// cheaply than [`cancel`] when nobody else knows it: then it is let go unended, and the error is
/// not even made.
///
/// `last` is the owner's clone of that context. The owner makes no more clones of the two.
///
/// # Examples
///
/// ```
/// use std::panic::Location;
/// use std::sync::Weak;
/// use tokio_ctx::{Context, Reason, owner};
///
/// let guard = owner::attach(&Context::background(), Weak::<u8>::new());
/// let (handle, last) = (guard.handle(), guard.keep());
/// let escaped = last.clone();
/// let here = Location::caller();
/// owner::finish(&handle, &last, || owner::cancelled(Reason::ScopeFinished, here, None));
/// assert_eq!(escaped.err().unwrap().reason(), Reason::ScopeFinished);
/// ```
pub fn finish(handle: &CancelHandle, last: &Context, cancelled: impl FnOnce() -> Cancelled) {
    handle.finish(last, cancelled);
}

/// The owners on the lifetime of `ctx` that are still there, nearest first, its own included.
///
/// Of a merged context only the chain above the merge's first parent is followed beyond the
/// merge.
///
/// # Examples
///
/// ```
/// use tokio_ctx::{Context, owner};
/// assert_eq!(owner::enclosing(&Context::background()).count(), 0);
/// ```
pub fn enclosing(ctx: &Context) -> impl Iterator<Item = Arc<dyn Any + Send + Sync>> {
    std::iter::successors(ctx.lifetime.as_ref(), |node| node.first_parent())
        .filter_map(|node| node.owner())
}

/// Ends a context as `cancelled` says, unless it ended before. Returns whether it did.
///
/// # Examples
///
/// ```
/// use std::panic::Location;
/// use tokio_ctx::{Context, Reason, owner};
///
/// let ctx = Context::background().with_cancel();
/// let gone = owner::cancelled(Reason::CallerGone, Location::caller(), None);
/// assert!(owner::cancel(&ctx.handle(), gone));
/// assert_eq!(ctx.err().unwrap().reason(), Reason::CallerGone);
/// ```
pub fn cancel(handle: &CancelHandle, cancelled: Cancelled) -> bool {
    handle.cancel_as(cancelled)
}

/// The context that `handle` can end, without values.
///
/// # Examples
///
/// ```
/// use tokio_ctx::{Context, owner};
///
/// let guard = Context::background().with_cancel();
/// let lifetime = owner::context(&guard.handle());
/// guard.cancel();
/// assert!(lifetime.is_done());
/// ```
#[must_use]
pub fn context(handle: &CancelHandle) -> Context {
    handle.context()
}

/// A [`Cancelled`] made by hand.
///
/// # Examples
///
/// ```
/// use std::panic::Location;
/// use tokio_ctx::{Reason, owner};
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
    Cancelled::new(Facts {
        reason,
        location,
        after: None,
        name: None,
        cause,
    })
}
