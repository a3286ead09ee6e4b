//! The operations, by what they are a test of.

use std::any::Any;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use tokio_ctx_core::interrupt::Interrupt;
use tokio_ctx_core::owner::{self, in_flight};
use tokio_ctx_core::{Budget, CancellationToken, Context, Reason};

use super::{Hidden, Hostile, Method, Shown, World};
use crate::support::{Count, HOUR, PATIENCE, poll_with};

/// Whether the caller may meet a panic: where we poll, print or drop what is the caller's own.
const MAY_PANIC: bool = true;
const NEVER: bool = false;

/// What may be met, the functions that it is a test of, and what is done.
pub(super) type Operation = (bool, &'static [&'static str], fn(&mut World));

pub(super) const OPERATIONS: &[Operation] = &[
    (NEVER, &["CancelGuard::cancel"], |w| {
        w.guard().cancel();
    }),
    (NEVER, &["CancelGuard::cancel_with"], |w| {
        let cause = w.hostile();
        let guard = w.guard();
        guard.cancel_with(cause);
        let late = w.hostile();
        guard.cancel_with(late);
    }),
    (NEVER, &["CancelGuard::drop"], |w| drop(w.guard())),
    (NEVER, &["CancelGuard::disarm"], |w| {
        drop(w.guard().disarm());
    }),
    (MAY_PANIC, &["CancelGuard::map"], |w| {
        let value = w.hostile();
        drop(w.guard().map(move |ctx| ctx.with_value::<Shown>(value)));
    }),
    (NEVER, &["CancelHandle::cancel"], |w| {
        w.place.handle.clone().cancel();
    }),
    (NEVER, &["CancelHandle::cancel_with"], |w| {
        let cause = w.hostile();
        w.place.handle.clone().cancel_with(cause);
    }),
    (MAY_PANIC, &["Context::with_timeout_cause"], |w| {
        let (cause, unused) = (w.hostile(), w.hostile());
        let ended = w.ctx.with_timeout_cause(Duration::ZERO, cause);
        drop(ended.with_timeout_cause(HOUR, unused));
        drop(ended.err());
        drop(format!("{ended:?}"));
    }),
    (NEVER, &["Context::with_deadline_cause"], |w| {
        let cause = w.hostile();
        let soon = tokio::time::Instant::now() + Duration::from_millis(1);
        let ctx = w.ctx.with_deadline_cause(soon, cause);
        let innocent = Count::default();
        let (ran, called) = (innocent.clone(), w.hostile());
        ctx.on_cancel(move |_| called.act(Method::Call)).disarm();
        let (sender, receiver) = mpsc::channel();
        ctx.on_cancel(move |_| {
            ran.add();
            sender.send(()).expect("received");
        })
        .disarm();
        receiver.recv_timeout(PATIENCE).expect("the helper rings");
        assert_eq!(innocent.get(), 1);
    }),
    (NEVER, &["Context::with_budget"], |w| {
        drop(w.ctx.with_budget(Budget::fraction(0.5).or_default(HOUR)));
    }),
    (
        MAY_PANIC,
        &[
            "Context::with_value",
            "Context::without_value",
            "Context::value",
            "Context::printable_values",
        ],
        |w| {
            drop(w.ctx.without_value::<Shown>());
            let _ = w.ctx.value::<Hidden>();
            for (_, value) in w.ctx.printable_values() {
                drop(value.to_string());
            }
        },
    ),
    (
        NEVER,
        &["Context::without_cancel", "Context::detach_onto"],
        |w| {
            let server = Context::background().with_cancel();
            drop((w.ctx.without_cancel(), w.ctx.detach_onto(&server)));
        },
    ),
    (MAY_PANIC, &["Context::merge"], |w| {
        let other = Context::background().with_cancel();
        let merged = w.ctx.merge(&other);
        let waker = w.waker();
        let mut done = Box::pin(merged.done_owned());
        let _ = poll_with(done.as_mut(), &waker);
        let called = w.hostile();
        merged.on_cancel(move |_| called.act(Method::Call)).disarm();
        other.cancel();
    }),
    (MAY_PANIC, &["Context::done", "Context::done_owned"], |w| {
        let ctx = w.ctx.clone();
        w.wait(ctx.done());
        w.wait(ctx.done_owned());
        let waker = w.waker();
        let mut done = Box::pin(ctx.done_owned());
        let _ = poll_with(done.as_mut(), &waker);
        w.place.handle.cancel();
    }),
    (MAY_PANIC, &["Context::run"], |w| {
        let (ctx, work, never) = (w.ctx.clone(), w.hostile(), w.hostile());
        w.wait(ctx.run(work));
        w.place.handle.cancel();
        w.wait(ctx.run(never));
    }),
    (NEVER, &["Context::on_cancel", "OnCancel::stop"], |w| {
        let callbacks: Vec<Hostile> = (0..4).map(|_| w.hostile()).collect();
        let mut callbacks = callbacks
            .into_iter()
            .map(|called| move |_: &tokio_ctx_core::Cancelled| called.act(Method::Call));
        let mut next = || callbacks.next().expect("four");
        w.ctx.on_cancel(next()).stop();
        drop(w.ctx.on_cancel(next()));
        w.ctx.on_cancel(next()).disarm();
        w.place.handle.cancel();
        w.ctx.on_cancel(next()).stop();
    }),
    (NEVER, &["Context::on_cancel", "OnCancel::disarm"], |w| {
        let (stopped, dropped, disarmed) = (w.hostile(), w.hostile(), w.hostile());
        let root = Context::background();
        root.on_cancel(move |_| drop(stopped)).stop();
        drop(root.on_cancel(move |_| drop(dropped)));
        root.on_cancel(move |_| drop(disarmed)).disarm();
    }),
    (MAY_PANIC, &["Context::token", "Context::from_token"], |w| {
        let token = w.ctx.token();
        let foreign = CancellationToken::new();
        let ctx = Context::from_token(&foreign);
        let called = w.hostile();
        ctx.on_cancel(move |_| called.act(Method::Call)).disarm();
        w.wait(ctx.done());
        let _ = catch_unwind(AssertUnwindSafe(|| foreign.cancel()));
        assert!(ctx.is_done());
        drop(token);
    }),
    (MAY_PANIC, &["Context::err", "Cancelled::cause"], |w| {
        let ctx = w.ctx.clone();
        drop((ctx.is_done(), ctx.err(), ctx.check(), ctx.remaining()));
        drop(format!("{ctx:?} {:?}", w.place.handle));
        let cause = w.hostile();
        w.place.handle.cancel_with(cause);
        let cancelled = ctx.err().expect("it ended");
        drop(cancelled.to_string());
        drop(format!("{cancelled:?} {ctx:?}"));
        let _ = cancelled.cause::<Hostile>().map(ToString::to_string);
        drop(std::io::Error::from(cancelled).to_string());
    }),
    (NEVER, &["Context::with_name"], |w| {
        let name = w.hostile();
        let _ = catch_unwind(AssertUnwindSafe(|| w.ctx.with_name(name)));
    }),
    (
        MAY_PANIC,
        &["Interrupt::new", "Interrupt::run", "Interrupt::until"],
        |w| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .build();
            let interrupt = |w: &mut World| {
                let (called, refusals) = (w.hostile(), [w.hostile(), w.hostile()]);
                let mut refusals = refusals.into_iter();
                let interrupt = move || {
                    called.act(Method::Call);
                    let refusal = refusals.next();
                    async move {
                        tokio::task::yield_now().await;
                        refusal.map_or(Ok(()), Err)
                    }
                };
                Interrupt::new(interrupt).grace(Duration::from_millis(2))
            };
            let (finished, stuck) = (w.work(), w.hostile());
            let (first, second, third) = (interrupt(w), interrupt(w), interrupt(w));
            let (ctx, soon) = (w.ctx.clone(), w.ctx.with_timeout(Duration::from_millis(1)));
            let late = w.work();
            runtime.expect("it is built").block_on(async move {
                drop(first.run(&ctx, finished).await);
                drop(second.run(&soon, stuck).await);
                drop(third.until(late).await);
            });
        },
    ),
    (MAY_PANIC, &["enter", "ended"], |w| {
        in_flight::observe();
        let called = w.hostile();
        let mut entered = in_flight::enter("test", &w.ctx, |text| {
            called.act(Method::Call);
            text.push_str("hostile");
        });
        for entry in in_flight::list(usize::MAX).0 {
            drop((entry.values(), format!("{entry:?}")));
        }
        // Its cause would be kept with what ended last.
        let ended = Context::background().with_timeout(Duration::ZERO);
        let why = ended.err().expect("it ended");
        entered.finish(&ended, Location::caller());
        let called = w.hostile();
        in_flight::ended("test", &why, Location::caller(), None, || {
            called.act(Method::Call);
            String::new()
        });
        drop(format!("{:?}", in_flight::ends()));
    }),
    (MAY_PANIC, &["quietly", "discard", "whole"], |w| {
        let (called, dropped, work) = (w.hostile(), w.hostile(), w.work());
        owner::quietly(|| called.act(Method::Call));
        owner::discard(dropped);
        let mut whole = pin!(owner::whole(work));
        let waker = w.waker();
        while poll_with(whole.as_mut(), &waker).is_pending() {}
    }),
    (
        MAY_PANIC,
        &["attach", "enclosing", "cancelled", "one_line"],
        |w| {
            let (shown, cause, late) = (w.hostile(), w.hostile(), w.hostile());
            drop(owner::one_line(shown).to_string());
            let owns: Arc<dyn Any + Send + Sync> = Arc::new(w.hostile());
            let handle = owner::attach(&w.ctx, Arc::downgrade(&owns), Location::caller());
            let ctx = owner::context(&handle).clone();
            let found = owner::enclosing(&ctx).next();
            drop(owns);
            let ended = |cause: Hostile| {
                let reason = Reason::TaskFailed;
                owner::cancelled(reason, Location::caller(), Some(Arc::new(cause)))
            };
            owner::cancel(&handle, ended(cause));
            owner::finish(&handle, ended(late));
            assert!(owner::has_ended(&ctx));
            drop(found);
            assert!(owner::enclosing(&ctx).next().is_none());
        },
    ),
];
