//! Shares of the remaining time.

use std::time::Duration;

use tokio::time::advance;
use tokio_ctx_core::{Budget, Context, Reason};

use crate::support::{HOUR, assert_ended, assert_live, cause_of};

const SECOND: Duration = Duration::from_secs(1);

fn granted(ctx: &Context, budget: Budget) -> Option<Duration> {
    ctx.with_budget(budget).expect("granted").remaining()
}

#[tokio::test(start_paused = true)]
async fn a_fraction_or_a_reserve_is_taken_from_what_remains() {
    let ctx = Context::background().with_timeout(10 * SECOND);
    assert_eq!(granted(&ctx, Budget::fraction(0.8)), Some(8 * SECOND));
    assert_eq!(granted(&ctx, Budget::reserve(SECOND)), Some(9 * SECOND));
    advance(5 * SECOND).await;
    assert_eq!(granted(&ctx, Budget::fraction(0.8)), Some(4 * SECOND));
    assert_eq!(granted(&ctx, Budget::reserve(SECOND)), Some(4 * SECOND));
    assert_eq!(granted(&ctx, Budget::fraction(1.0)), Some(5 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn a_budget_is_an_instant_and_does_not_drift() {
    let ctx = Context::background().with_timeout(10 * SECOND);
    let half = ctx.with_budget(Budget::fraction(0.5)).expect("granted");
    let at = half.deadline();
    advance(3 * SECOND).await;
    assert_eq!(half.deadline(), at);
    assert_eq!(half.remaining(), Some(2 * SECOND));
    let cancelled = half.done().await;
    assert_eq!(cancelled.after(), Some(5 * SECOND));
    assert_live(&ctx);
}

#[tokio::test(start_paused = true)]
async fn limits_narrow_a_budget() {
    let ctx = Context::background().with_timeout(10 * SECOND);
    assert_eq!(
        granted(&ctx, Budget::fraction(0.5).at_most(2 * SECOND)),
        Some(2 * SECOND)
    );
    assert_eq!(
        granted(&ctx, Budget::fraction(0.1).at_most(2 * SECOND)),
        Some(SECOND)
    );
    assert_eq!(
        granted(&ctx, Budget::fraction(0.5).at_least(5 * SECOND)),
        Some(5 * SECOND)
    );
}

#[tokio::test(start_paused = true)]
async fn a_budget_too_small_is_refused_before_the_work_starts() {
    let ctx = Context::background().with_timeout(10 * SECOND);
    let budget = Budget::reserve(9 * SECOND).at_least(2 * SECOND);
    let line = line!() + 1;
    let refused = ctx.with_budget(budget).unwrap_err();
    assert_eq!(refused.reason(), Reason::BudgetExhausted);
    assert!(refused.is_timeout());
    assert_eq!(refused.location().line(), line);
    assert!(
        refused.to_string().contains("1s of 2s needed are left"),
        "{refused}"
    );
    assert_live(&ctx);
}

#[tokio::test(start_paused = true)]
async fn a_reserve_larger_than_what_remains_leaves_nothing() {
    let ctx = Context::background().with_timeout(SECOND);
    let empty = ctx
        .with_budget(Budget::reserve(HOUR))
        .expect("nothing was asked for");
    assert_ended(&empty, Reason::Deadline);
    let least = Budget::reserve(HOUR).at_least(Duration::from_nanos(1));
    assert_eq!(
        ctx.with_budget(least).unwrap_err().reason(),
        Reason::BudgetExhausted
    );
}

#[test]
fn a_budget_of_an_ended_context_is_its_own_end() {
    let ctx = Context::background().with_cancel();
    ctx.cancel_with("closed");
    let refused = ctx.with_budget(Budget::fraction(0.5)).unwrap_err();
    assert_eq!(refused.reason(), Reason::Cancelled);
    assert_eq!(cause_of(&ctx).as_deref(), Some("closed"));
}

#[tokio::test(start_paused = true)]
async fn without_a_deadline_a_budget_is_its_default_or_no_limit() {
    let root = Context::background();
    assert_eq!(granted(&root, Budget::fraction(0.5)), None);
    assert_eq!(
        granted(&root, Budget::fraction(0.5).or_default(SECOND)),
        Some(SECOND)
    );
    assert_eq!(
        granted(&root, Budget::reserve(SECOND).at_most(2 * SECOND)),
        Some(2 * SECOND)
    );
    let ctx = root.with_timeout(10 * SECOND);
    assert_eq!(
        granted(&ctx, Budget::fraction(0.5).or_default(SECOND)),
        Some(5 * SECOND)
    );
}

#[test]
#[should_panic(expected = "a budget is a fraction from 0 to 1 of what remains, not 1.5")]
fn a_fraction_above_one_is_refused_with_its_value() {
    let _ = Budget::fraction(1.5);
}

#[test]
#[should_panic(expected = "a budget is a fraction from 0 to 1 of what remains, not NaN")]
fn a_fraction_that_is_no_number_is_refused() {
    let _ = Budget::fraction(f64::NAN);
}
