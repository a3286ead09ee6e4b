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
/// use tokio_ctx_core::{Context, owner};
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
/// use tokio_ctx_core::{Context, owner};
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
    let Lifetime(child) = Lifetime::attach_at(ctx, owner, location);
    CancelGuard::new(ctx.living(child.lifetime))
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
/// use tokio_ctx_core::{Context, Reason, owner};
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
/// use tokio_ctx_core::{Context, owner};
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
    /// use tokio_ctx_core::{Context, owner};
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
/// use tokio_ctx_core::{Context, Reason, owner};
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

/// A lifetime without values, and the right to end it. Dropping it ends nothing.
///
/// For owners that outlive the work they own: values must not be kept alive by what waits
/// for the last of it.
pub struct Lifetime(Context);

impl Lifetime {
    /// A child of the lifetime of `ctx` that knows its owner, as [`attach_at`] makes it.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::panic::Location;
    /// use std::sync::{Arc, Weak};
    /// use tokio_ctx_core::{Context, key, owner};
    ///
    /// key! { User: u32 }
    ///
    /// let ctx = Context::background().with_value::<User>(7);
    /// let nobody: Weak<u8> = Weak::new();
    /// let lifetime = owner::Lifetime::attach_at(&ctx, nobody, Location::caller());
    /// assert_eq!(lifetime.context().value::<User>(), None);
    /// assert_eq!(lifetime.with_values_of(&ctx).unwrap().value::<User>(), Some(&7));
    /// ```
    #[must_use]
    #[inline]
    pub fn attach_at(
        ctx: &Context,
        owner: Weak<dyn Any + Send + Sync>,
        location: &'static Location<'static>,
    ) -> Lifetime {
        let node = Node::owned(ctx.lifetime.as_ref(), location, owner);
        Lifetime(Context {
            lifetime: Some(Arc::new(node)),
            values: None,
        })
    }

    /// The lifetime with the values of `ctx`. `None` when that has no values:
    /// [`context`](Lifetime::context) is all there is then.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::panic::Location;
    /// use std::sync::Weak;
    /// use tokio_ctx_core::{Context, owner};
    ///
    /// let nobody: Weak<u8> = Weak::new();
    /// let lifetime = owner::Lifetime::attach_at(&Context::background(), nobody, Location::caller());
    /// assert!(lifetime.with_values_of(&Context::background()).is_none());
    /// ```
    #[must_use]
    #[inline]
    pub fn with_values_of(&self, ctx: &Context) -> Option<Context> {
        let has_values = ctx.values.is_some();
        has_values.then(|| ctx.living(self.0.lifetime.clone()))
    }

    /// The lifetime as a context.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::panic::Location;
    /// use std::sync::Weak;
    /// use tokio_ctx_core::{Context, owner};
    ///
    /// let nobody: Weak<u8> = Weak::new();
    /// let lifetime = owner::Lifetime::attach_at(&Context::background(), nobody, Location::caller());
    /// assert!(!lifetime.context().is_done());
    /// ```
    #[must_use]
    #[inline]
    pub fn context(&self) -> &Context {
        &self.0
    }

    /// Ends the lifetime as `cancelled` says, unless it ended before. Returns whether it did.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::panic::Location;
    /// use std::sync::Weak;
    /// use tokio_ctx_core::{Context, Reason, owner};
    ///
    /// let (nobody, here) = (Weak::<u8>::new(), Location::caller());
    /// let lifetime = owner::Lifetime::attach_at(&Context::background(), nobody, here);
    /// let dropped = owner::cancelled(Reason::ScopeDropped, here, None);
    /// assert!(lifetime.cancel(dropped));
    /// assert_eq!(lifetime.context().err().unwrap().reason(), Reason::ScopeDropped);
    /// ```
    pub fn cancel(&self, cancelled: Cancelled) -> bool {
        let node = self.0.lifetime.as_ref();
        node.is_some_and(|node| node.cancel_as(cancelled))
    }

    /// The same when the owner is done, and cheaper where nobody else knows the lifetime: then
    /// it is let go unended, and the error is not even made.
    ///
    /// `last` is the lifetime [with values](Lifetime::with_values_of), if that was made. The owner
    /// makes no more clones of the two.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::panic::Location;
    /// use std::sync::Weak;
    /// use tokio_ctx_core::{Context, Reason, owner};
    ///
    /// let (nobody, here) = (Weak::<u8>::new(), Location::caller());
    /// let lifetime = owner::Lifetime::attach_at(&Context::background(), nobody, here);
    /// let escaped = lifetime.context().clone();
    /// lifetime.finish(None, || owner::cancelled(Reason::ScopeFinished, here, None));
    /// assert_eq!(escaped.err().unwrap().reason(), Reason::ScopeFinished);
    /// ```
    #[inline]
    pub fn finish(&self, last: Option<&Context>, cancelled: impl FnOnce() -> Cancelled) {
        let Some(node) = &self.0.lifetime else {
            return;
        };
        let lasts = last.and_then(|last| last.lifetime.as_ref());
        let ours = 1 + usize::from(lasts.is_some_and(|other| Arc::ptr_eq(node, other)));
        if !Node::is_known_only_to(node, ours) {
            node.cancel_as(cancelled());
        }
    }
}

impl fmt::Debug for Lifetime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lifetime({:?})", self.0)
    }
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
    std::iter::successors(ctx.lifetime.as_ref(), |node| node.first_parent())
        .filter_map(|node| node.owner())
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

/// A [`Cancelled`] made by hand.
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
    Cancelled::new(Facts {
        reason,
        location,
        after: None,
        name: None,
        cause,
    })
}
