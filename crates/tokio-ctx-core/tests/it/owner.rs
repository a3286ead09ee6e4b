//! The seam for crates that own lifetimes.

use std::any::Any;
use std::panic::Location;
use std::sync::{Arc, Weak};

use tokio_ctx_core::{Cancelled, Context, Reason, key, owner};

use crate::support::{Count, HOUR, assert_ended, assert_live, poll, poll_with};

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

/// What `finish` ends a lifetime with, if it ends it at all.
fn finished() -> Cancelled {
    owner::cancelled(Reason::ScopeFinished, Location::caller(), None)
}

/// A lifetime under that of `ctx`, and its context if that has values.
fn owned_under(ctx: &Context) -> (owner::Lifetime, Option<Context>) {
    let lifetime = owner::Lifetime::attach_at(ctx, Weak::<Owner>::new(), Location::caller());
    let with_values = lifetime.with_values_of(ctx);
    (lifetime, with_values)
}

#[test]
fn a_lifetime_is_finished_for_whoever_else_knows_it() {
    type Observer = Box<dyn FnOnce() -> bool>;
    fn ended(ctx: Context) -> Observer {
        Box::new(move || {
            ctx.err()
                .is_some_and(|cancelled| cancelled.reason() == Reason::ScopeFinished)
        })
    }
    let observers: [fn(&Context) -> Observer; 7] = [
        |ctx| ended(ctx.clone()),
        |ctx| ended(ctx.with_cancel().keep()),
        |ctx| ended(ctx.with_name("part")),
        |ctx| ended(ctx.merge(&Context::background().with_cancel())),
        |ctx| {
            let token = ctx.token();
            Box::new(move || token.is_cancelled())
        },
        |ctx| {
            let wakes = Count::default();
            let mut done = Box::pin(ctx.done_owned());
            assert!(poll_with(done.as_mut(), &wakes.waker()).is_pending());
            Box::new(move || wakes.get() == 1 && poll(done.as_mut()).is_ready())
        },
        |ctx| {
            let runs = Count::default();
            let counted = runs.clone();
            ctx.on_cancel(move |_| counted.add()).detach();
            Box::new(move || runs.get() == 1)
        },
    ];
    key! { Id: u32 }
    let with_values = Context::background().with_value::<Id>(7);
    for (num, observe) in observers.into_iter().enumerate() {
        for above in [&Context::background(), &with_values] {
            let (lifetime, last) = owned_under(above);
            let sees_the_end = observe(last.as_ref().unwrap_or(lifetime.context()));
            lifetime.finish(last.as_ref(), finished);
            assert!(sees_the_end(), "observer {num}");
        }
    }
}

#[test]
fn a_lifetime_that_nobody_else_knows_is_let_go_without_an_error() {
    key! { Id: u32 }
    let with_values = Context::background().with_value::<Id>(7);
    for above in [&Context::background(), &with_values] {
        let (lifetime, last) = owned_under(above);
        drop(lifetime.context().clone());
        lifetime.finish(last.as_ref(), || panic!("nobody would read it"));
    }
}
