//! Deadlines are data: compared by who asks, watched while somebody waits.

use std::time::Duration;

use tokio::time::{Instant, advance};
use tokio_ctx_core::{Context, Reason, key};

use crate::support::{
    Count, HOUR, assert_ended, assert_live, cause_of, poll, poll_with, reason_of,
};

key! { Item: u32 }

const SECOND: Duration = Duration::from_secs(1);
const MILLI: Duration = Duration::from_millis(1);

#[tokio::test(start_paused = true)]
async fn a_deadline_fires_by_itself() {
    let derive: [fn() -> Context; 2] = [
        || Context::background().with_timeout(SECOND),
        || Context::background().with_deadline(Instant::now() + SECOND),
    ];
    for derive in derive {
        let (start, ctx) = (Instant::now(), derive());
        assert_live(&ctx);
        let cancelled = ctx.done().await;
        assert_eq!(cancelled.reason(), Reason::Deadline);
        assert!(cancelled.is_timeout());
        assert_ended(&ctx, Reason::Deadline);
        assert_eq!(start.elapsed(), SECOND);
    }
}

#[tokio::test(start_paused = true)]
async fn a_context_lives_until_its_deadline_and_not_a_nanosecond_longer() {
    let ctx = Context::background().with_timeout(5 * SECOND);
    advance(5 * SECOND - Duration::from_nanos(1)).await;
    assert!(ctx.err().is_none());
    assert_eq!(ctx.remaining(), Some(Duration::from_nanos(1)));
    advance(Duration::from_nanos(1)).await;
    assert_ended(&ctx, Reason::Deadline);
    assert_eq!(ctx.remaining(), Some(Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn what_is_built_on_a_deadline_reports_it() {
    let ctx = Context::background().with_timeout(SECOND);
    let built = [
        ctx.with_value::<Item>(1),
        ctx.with_cancel().disarm(),
        ctx.with_name("built"),
    ];
    advance(SECOND).await;
    for ctx in &built {
        assert_ended(ctx, Reason::Deadline);
    }
}

#[tokio::test(start_paused = true)]
async fn a_later_deadline_of_a_child_does_not_move_its_parents() {
    let start = Instant::now();
    let parent = Context::background().with_timeout(SECOND);
    let child = parent.with_timeout(4 * SECOND);
    assert_eq!(child.deadline(), Some(start + SECOND));
    assert_eq!(child.done().await.reason(), Reason::Deadline);
    assert_eq!(start.elapsed(), SECOND);
    assert_eq!(
        child.err().and_then(|cancelled| cancelled.after()),
        Some(SECOND)
    );
}

#[tokio::test(start_paused = true)]
async fn an_earlier_deadline_of_a_child_leaves_its_parent_alone() {
    let parent = Context::background().with_timeout(4 * SECOND);
    let child = parent.with_timeout(SECOND);
    assert_eq!(child.done().await.after(), Some(SECOND));
    assert_live(&parent);
    assert_eq!(parent.done().await.after(), Some(4 * SECOND));
    assert_eq!(
        child.err().and_then(|cancelled| cancelled.after()),
        Some(SECOND)
    );
}

#[tokio::test(start_paused = true)]
async fn a_deadline_in_the_past_ends_the_context_at_birth() {
    advance(HOUR).await;
    let ctx = Context::background().with_deadline(Instant::now() - SECOND);
    assert_ended(&ctx, Reason::Deadline);
    assert_ended(&ctx.with_cancel(), Reason::Deadline);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_of_now_ends_the_context_at_birth() {
    assert_ended(
        &Context::background().with_deadline(Instant::now()),
        Reason::Deadline,
    );
    assert_ended(
        &Context::background().with_timeout(Duration::ZERO),
        Reason::Deadline,
    );
}

#[test]
fn a_deadline_at_birth_needs_no_runtime() {
    assert_ended(
        &Context::background().with_timeout(Duration::ZERO),
        Reason::Deadline,
    );
    let ctx = Context::background().with_timeout(HOUR);
    assert!(!ctx.is_done());
    assert!(
        ctx.remaining()
            .is_some_and(|left| left > HOUR - SECOND * 60)
    );
}

#[tokio::test(start_paused = true)]
async fn a_cancel_before_the_deadline_wins_at_once() {
    let guard = Context::background().with_timeout(SECOND).with_cancel();
    guard.cancel();
    assert_ended(&guard, Reason::Cancelled);
    advance(HOUR).await;
    assert_ended(&guard, Reason::Cancelled);
}

#[test]
fn a_cancel_after_the_deadline_changes_nothing() {
    let guard = Context::background()
        .with_timeout(Duration::ZERO)
        .with_cancel();
    assert!(!guard.cancel_with("too late"));
    assert_ended(&guard, Reason::Deadline);
    assert_eq!(cause_of(&guard), None);
}

#[tokio::test(start_paused = true)]
async fn a_cancel_after_a_deadline_that_nobody_looked_at_changes_nothing() {
    let guard = Context::background()
        .with_cancel()
        .map(|ctx| ctx.with_timeout(SECOND));
    let below = guard.with_cancel();
    advance(SECOND).await;
    assert!(!below.cancel());
    assert_ended(&below, Reason::Deadline);
}

#[tokio::test(start_paused = true)]
async fn the_parents_end_wins_over_a_deadline_in_the_past() {
    advance(HOUR).await;
    let parent = Context::background().with_cancel();
    parent.cancel_with("closed");
    let child = parent.with_deadline_cause(Instant::now() - SECOND, "overdue");
    assert_ended(&child, Reason::Cancelled);
    assert_eq!(cause_of(&child).as_deref(), Some("closed"));
}

#[tokio::test(start_paused = true)]
async fn of_deadlines_that_have_passed_unseen_each_context_reports_its_earliest() {
    let outer = Context::background().with_timeout(3 * SECOND);
    let middle = outer.with_timeout(2 * SECOND);
    let inner = middle.with_timeout(SECOND);
    advance(HOUR).await;
    let after = |ctx: &Context| ctx.err().and_then(|cancelled| cancelled.after());
    assert_eq!(after(&inner), Some(SECOND));
    assert_eq!(after(&middle), Some(2 * SECOND));
    assert_eq!(after(&outer), Some(3 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn the_deadline_still_answers_when_the_context_has_ended() {
    let guard = Context::background().with_timeout(SECOND).with_cancel();
    let at = Instant::now() + SECOND;
    guard.cancel();
    assert_eq!(guard.deadline(), Some(at));
    assert_eq!(guard.remaining(), Some(SECOND));
    advance(2 * SECOND).await;
    assert_eq!(guard.deadline(), Some(at));
    assert_eq!(guard.remaining(), Some(Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn the_error_says_how_long_and_which_line_set_the_deadline() {
    let line = line!() + 1;
    let ctx = Context::background().with_timeout(Duration::from_millis(250));
    let cancelled = ctx.done().await;
    assert_eq!(cancelled.after(), Some(Duration::from_millis(250)));
    assert_eq!(
        (cancelled.location().file(), cancelled.location().line()),
        (file!(), line)
    );

    advance(SECOND).await;
    let line = line!() + 1;
    let ctx = Context::background().with_deadline(Instant::now() + SECOND);
    let cancelled = ctx.done().await;
    assert_eq!(
        (cancelled.after(), cancelled.location().line()),
        (Some(SECOND), line)
    );
}

#[tokio::test(start_paused = true)]
async fn the_error_names_the_deadline_that_fired() {
    let request = Context::background()
        .with_name("request")
        .with_timeout(2 * SECOND);
    let query = request.with_name("query").with_timeout(SECOND);
    assert_eq!(query.done().await.name(), Some("query"));
    assert_eq!(request.done().await.name(), Some("request"));
}

#[tokio::test(start_paused = true)]
async fn a_source_that_is_never_ready_yields_to_the_deadline() {
    let ctx = Context::background().with_timeout(MILLI);
    let cancelled = tokio::select! {
        biased;
        () = std::future::pending() => unreachable!("it is never ready"),
        cancelled = ctx.done() => cancelled,
    };
    assert!(cancelled.is_timeout());
}

#[tokio::test(start_paused = true)]
async fn deriving_waiting_and_firing_make_no_task() {
    let metrics = tokio::runtime::Handle::current().metrics();
    let before = metrics.num_alive_tasks();
    let ctx = Context::background().with_timeout(SECOND);
    let child = ctx.with_cancel();
    let _callback = child.on_cancel(|_| ());
    let merged = child.merge(
        &Context::background()
            .with_cancel()
            .disarm()
            .with_timeout(HOUR),
    );
    let token = merged.token();
    assert!(poll(std::pin::pin!(merged.done())).is_pending());
    assert_eq!(metrics.num_alive_tasks(), before);
    merged.done().await;
    assert!(token.is_cancelled());
    assert_eq!(metrics.num_alive_tasks(), before);
}

#[tokio::test(start_paused = true)]
async fn all_waiters_of_a_deadline_are_woken_once() {
    let ctx = Context::background().with_timeout(SECOND);
    let child = ctx.with_cancel();
    let count = Count::default();
    let waker = count.waker();
    let mut waiters: Vec<_> = (0..10)
        .map(|index| {
            Box::pin(if index % 2 == 0 {
                ctx.done_owned()
            } else {
                child.done_owned()
            })
        })
        .collect();
    for waiter in &mut waiters {
        assert!(poll_with(waiter.as_mut(), &waker).is_pending());
    }
    advance(SECOND).await;
    // Timers of tokio have a resolution of a millisecond.
    tokio::time::sleep(MILLI).await;
    assert_eq!(count.get(), 10);
    for mut waiter in waiters {
        assert!(poll(waiter.as_mut()).is_ready());
    }
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_only_a_token_or_a_callback_waits_for_fires() {
    let ctx = Context::background().with_timeout(SECOND);
    let token = ctx.token();
    token.cancelled().await;
    assert_eq!(reason_of(&ctx), Reason::Deadline);

    let ctx = Context::background().with_timeout(SECOND);
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let _callback = ctx.on_cancel(move |cancelled| {
        let _ = sender.send(cancelled.reason());
    });
    assert_eq!(receiver.await, Ok(Reason::Deadline));
}

#[tokio::test(start_paused = true)]
async fn a_deadline_too_far_away_to_count_is_none() {
    let ctx = Context::background().with_timeout(Duration::MAX);
    assert_eq!(ctx.deadline(), None);
    assert_live(&ctx);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_of_a_century_is_waited_for() {
    let century = SECOND * 60 * 60 * 24 * 36_525;
    let ctx = Context::background().with_timeout(century);
    assert_live(&ctx);
    let inner = ctx.with_timeout(SECOND);
    assert_eq!(inner.done().await.after(), Some(SECOND));
    assert_live(&ctx);
    advance(century).await;
    assert_ended(&ctx, Reason::Deadline);
}

#[tokio::test(start_paused = true)]
async fn cancelling_a_context_lets_go_of_its_timer() {
    let guard = Context::background().with_cancel();
    let ctx = guard.with_timeout(SECOND);
    let count = Count::default();
    {
        let mut done = std::pin::pin!(ctx.done());
        assert!(poll_with(done.as_mut(), &count.waker()).is_pending());
        guard.cancel();
        assert!(poll(done).is_ready());
    }
    assert_eq!(count.get(), 1);
    advance(HOUR).await;
    tokio::time::sleep(MILLI).await;
    assert_eq!(count.get(), 1);
    assert_ended(&ctx, Reason::Cancelled);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_farther_away_than_there_is_time_is_none() {
    let far = Duration::from_secs(1_000 * 365 * 24 * 3600);
    let at = tokio::time::Instant::now().checked_add(far);
    for ctx in [
        Context::background().with_timeout(far),
        Context::background().with_timeout(Duration::MAX),
        Context::background().with_deadline(at.expect("this platform can say it")),
    ] {
        assert_eq!(ctx.deadline(), None);
        assert!(!ctx.can_be_cancelled());
    }
    let near = Context::background().with_timeout(HOUR);
    assert_eq!(near.with_timeout(far).remaining(), Some(HOUR));
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_had_passed_below_a_context_that_had_ended_says_what_that_one_says() {
    let parent = Context::background().with_timeout(Duration::from_secs(5));
    advance(Duration::from_secs(6)).await;
    assert_ended(&parent, Reason::Deadline);
    let past = tokio::time::Instant::now() - Duration::from_secs(3);
    let child = parent.with_deadline(past);
    assert_eq!(child.deadline(), Some(past));
    let cancelled = child.err().expect("it ended");
    assert_eq!(cancelled.after(), Some(Duration::from_secs(5)));

    // Said by somebody, it is no deadline that another one could precede.
    let parent = Context::background().with_cancel();
    let child = parent.with_timeout(Duration::from_secs(1));
    parent.cancel_with(Reason::Deadline);
    advance(Duration::from_secs(2)).await;
    assert_eq!(child.err().expect("it ended").after(), None);
}
