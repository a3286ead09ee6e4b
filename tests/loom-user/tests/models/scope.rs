//! Scopes: each task is a thread of the model.

use loom::thread;
use loom_user::tally::{Add, count, hastily, steadily};
use tokio_ctx::model::set_task_threads;
use tokio_ctx::{Context, model};

fn two_parts(add: Add) {
    loom::model(move || {
        let sum = model::block_on(count(&Context::background(), 2, add));
        assert_eq!(sum.unwrap(), 2, "an update was lost");
    });
}

#[test]
#[should_panic(expected = "an update was lost")]
fn hasty_tasks_lose_an_update() {
    two_parts(hastily);
}

#[test]
fn steady_tasks_lose_nothing() {
    two_parts(steadily);
}

/// More tasks than loom has threads.
#[test]
#[should_panic(expected = "an update was lost")]
fn six_tasks_on_two_threads_lose_an_update() {
    loom::model(|| {
        set_task_threads(2);
        let sum = model::block_on(count(&Context::background(), 6, hastily));
        assert_eq!(sum.unwrap(), 6, "an update was lost");
    });
}

/// Cancelled in the middle: all parts or an error, and no sum of some. With three preemptions it
/// takes minutes, so it has two.
#[test]
fn cancelled_count_is_no_count() {
    let mut bounded = loom::model::Builder::new();
    bounded.preemption_bound = Some(2);
    bounded.check(|| {
        let ctx = Context::background().with_cancel();
        let handle = ctx.handle();
        let canceller = thread::spawn(move || handle.cancel_with("enough"));
        match model::block_on(count(&ctx, 1, steadily)) {
            Ok(sum) => assert_eq!(sum, 1),
            Err(cancelled) => assert!(cancelled.to_string().contains("enough")),
        }
        canceller.join().unwrap();
    });
}
