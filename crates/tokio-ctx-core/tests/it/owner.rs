//! The seam for crates that own lifetimes.

use std::any::Any;
use std::panic::Location;
use std::sync::Arc;

use tokio_ctx_core::{CancelHandle, Context, Reason, key, owner};

use crate::support::{HOUR, assert_ended, assert_live};

type Owner = Arc<dyn Any + Send + Sync>;

fn attach(ctx: &Context, owner: &Owner) -> CancelHandle {
    owner::attach(ctx, Arc::downgrade(owner), Location::caller())
}

fn owned(ctx: &Context, owner: &Owner) -> Context {
    owner::context(&attach(ctx, owner)).clone()
}

fn names(ctx: &Context) -> Vec<&'static str> {
    owner::enclosing(ctx)
        .filter_map(|owner| owner.downcast_ref::<&'static str>().copied())
        .collect()
}

#[test]
fn owners_are_found_along_the_lifetime_nearest_first() {
    let (outer, inner): (Owner, Owner) = (Arc::new("outer"), Arc::new("inner"));
    let server = owned(&Context::background(), &outer);
    let request = server.with_timeout(HOUR).with_cancel();
    let scope = owned(&request, &inner);
    let leaf = scope.with_cancel().disarm();
    assert_eq!(names(&leaf), ["inner", "outer"]);
    assert_eq!(names(&request), ["outer"]);
    assert_eq!(names(&leaf.detach_onto(&server)), ["outer"]);
    assert_eq!(
        names(&leaf.merge(&Context::background().with_cancel())),
        ["inner", "outer"]
    );
}

#[test]
fn a_context_keeps_no_owner_alive() {
    let scope: Owner = Arc::new("scope");
    let weak = Arc::downgrade(&scope);
    let ctx = owned(&Context::background(), &scope);
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

#[test]
fn a_context_keeps_its_owners_when_it_drops_its_cancellation() {
    let (outer, inner): (Owner, Owner) = (Arc::new("outer"), Arc::new("inner"));
    let server = owned(&Context::background(), &outer);
    let request = server.with_cancel();
    let scope = attach(&request, &inner);
    let shield = owner::context(&scope).with_timeout(HOUR).without_cancel();
    assert_eq!(names(&shield), ["inner", "outer"]);
    assert_eq!(
        names(&shield.with_cancel().without_cancel()),
        ["inner", "outer"]
    );
    let third: Owner = Arc::new("third");
    assert_eq!(names(&owned(&shield, &third)), ["third", "inner", "outer"]);

    scope.cancel();
    request.cancel();
    assert_live(&shield);
    assert!(!shield.can_be_cancelled());
    assert_eq!(shield.deadline(), None);
    drop(inner);
    assert_eq!(names(&shield), ["outer"]);
    drop(outer);
    assert!(names(&shield).is_empty());
    assert!(
        format!("{shield:?}").starts_with("background > shield("),
        "{shield:?}"
    );
    let plain = shield.without_cancel();
    assert_eq!(format!("{plain:?}"), "background", "nobody is left to keep");
}

#[test]
fn a_shield_keeps_nothing_of_what_it_came_from_alive() {
    let scope: Owner = Arc::new("scope");
    let weak = Arc::downgrade(&scope);
    let held = Arc::new(());
    let of_callback = Arc::downgrade(&held);
    let ctx = owned(&Context::background(), &scope);
    ctx.on_cancel(move |_| drop(held)).disarm();
    let shield = ctx.without_cancel();
    drop((scope, ctx));
    assert_eq!((weak.strong_count(), of_callback.strong_count()), (0, 0));
    assert_live(&shield);
}

#[test]
fn a_merge_keeps_the_owner_of_the_shield_that_it_began_with() {
    let (scope, other): (Owner, Owner) = (Arc::new("scope"), Arc::new("other"));
    let shield = owned(&Context::background(), &scope).without_cancel();
    let stop = attach(&Context::background(), &other);
    let merged = shield.merge(owner::context(&stop));
    assert_eq!(names(&merged), ["scope"]);
    assert_live(&merged);
    stop.cancel();
    assert_ended(&merged, Reason::Cancelled);
    assert_eq!(names(&shield.merge(owner::context(&stop))), ["scope"]);
    let plain = Context::background().merge(owner::context(&stop));
    assert_eq!(names(&plain), ["other"]);
}

#[test]
fn values_are_given_to_an_owned_context_when_it_is_handed_out() {
    key! { Id: u32 }
    let scope: Owner = Arc::new("scope");
    let above = Context::background().with_value::<Id>(7);
    let handle = attach(&above, &scope);
    assert_eq!(owner::context(&handle).value::<Id>(), None);
    let ctx = owner::with_values_of(&handle, &above).expect("there are values");
    assert_eq!(ctx.value::<Id>(), Some(&7));
    assert!(owner::with_values_of(&handle, &Context::background()).is_none());
    handle.cancel();
    assert_ended(&ctx, Reason::Cancelled);
}
