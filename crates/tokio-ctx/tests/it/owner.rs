//! The seam for crates that own lifetimes.

use std::any::Any;
use std::panic::Location;
use std::sync::Arc;

use tokio_ctx::{Context, Reason, owner};

use crate::support::{HOUR, assert_ended, assert_live};

type Owner = Arc<dyn Any + Send + Sync>;

fn names(ctx: &Context) -> Vec<&'static str> {
    owner::enclosing(ctx)
        .filter_map(|owner| owner.downcast_ref::<&'static str>().copied())
        .collect()
}

#[test]
fn owners_are_found_along_the_lifetime_nearest_first() {
    let (outer, inner): (Owner, Owner) = (Arc::new("outer"), Arc::new("inner"));
    let server = owner::attach(&Context::background(), Arc::downgrade(&outer));
    let request = server.with_timeout(HOUR).with_cancel();
    let scope = owner::attach(&request, Arc::downgrade(&inner));
    let leaf = scope.with_cancel().keep();
    assert_eq!(names(&leaf), ["inner", "outer"]);
    assert_eq!(names(&request), ["outer"]);
    assert_eq!(names(&leaf.detach_onto(&server)), ["outer"]);
    assert!(names(&leaf.without_cancel()).is_empty());
    assert_eq!(
        names(&leaf.merge(&Context::background().with_cancel())),
        ["inner", "outer"]
    );
}

#[test]
fn a_context_keeps_no_owner_alive() {
    let scope: Owner = Arc::new("scope");
    let weak = Arc::downgrade(&scope);
    let ctx = owner::attach(&Context::background(), Arc::downgrade(&scope));
    assert_eq!(names(&ctx), ["scope"]);
    drop(scope);
    assert!(weak.upgrade().is_none());
    assert!(names(&ctx).is_empty());
    assert_live(&ctx);
}

#[test]
fn an_owner_ends_its_lifetime_for_a_reason_of_its_own_and_once() {
    let ctx = Context::background().with_name("request").with_cancel();
    let cause: Arc<dyn std::error::Error + Send + Sync> = Arc::from(Box::<
        dyn std::error::Error + Send + Sync,
    >::from("connection reset"));
    let gone = owner::cancelled(Reason::CallerGone, Location::caller(), Some(cause));
    assert!(owner::cancel(&ctx.handle(), gone));
    let late = owner::cancelled(Reason::RequestFinished, Location::caller(), None);
    assert!(!owner::cancel(&ctx.handle(), late));
    assert_ended(&ctx, Reason::CallerGone);
    let cancelled = ctx.err().expect("it ended");
    assert_eq!(cancelled.name(), Some("request"));
    assert!(cancelled.to_string().contains("connection reset"));
}
