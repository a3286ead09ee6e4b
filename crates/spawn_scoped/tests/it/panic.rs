//! Promise 3: a panic stops the siblings, is joined, and is resumed with its payload.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt as _;
use spawn_scoped::{TaskFailure, scope};
use tokio_ctx_core::{Cancelled, Context, Reason};

use crate::support::{AppError, Live, on_both};

#[test]
fn a_panic_stops_the_siblings_and_is_resumed_with_its_payload() {
    on_both(|| async {
        let live = Arc::new(Live::default());
        let spy = live.clone();
        let panicked = AssertUnwindSafe(scope(&Context::background(), async |s| {
            for _ in 0..3 {
                let token = live.token();
                s.spawn(async move |ctx| {
                    let why = ctx.done().await;
                    assert_eq!(why.reason(), Reason::TaskPanicked);
                    drop(token);
                    Ok::<_, Cancelled>(())
                });
            }
            s.spawn(async |_| -> Result<(), _> { std::panic::panic_any(42_u32) });
            Ok(())
        }))
        .catch_unwind()
        .await;
        assert_eq!(*panicked.unwrap_err().downcast::<u32>().unwrap(), 42);
        assert_eq!(spy.count(), 0);
    });
}

#[test]
fn a_panic_is_not_hidden_by_an_earlier_error() {
    on_both(|| async {
        let panicked = AssertUnwindSafe(scope(&Context::background(), async |s| {
            s.spawn(async |ctx| -> Result<(), AppError> {
                ctx.done().await;
                panic!("while winding down")
            });
            Err::<(), _>(AppError::Broken("first"))
        }))
        .catch_unwind()
        .await;
        let payload = panicked.unwrap_err();
        assert_eq!(*payload.downcast::<&str>().unwrap(), "while winding down");
    });
}

#[test]
fn the_first_of_two_panics_is_resumed() {
    on_both(|| async {
        let panicked = AssertUnwindSafe(scope(&Context::background(), async |s| {
            let bad = s.spawn(async |_| -> Result<(), Cancelled> { panic!("task") });
            let why = bad.await.unwrap_err();
            assert_eq!(why.reason(), Reason::TaskPanicked);
            assert_eq!(why.cause::<TaskFailure>().unwrap().message(), Some("task"));
            panic!("body");
            #[expect(unreachable_code)]
            Ok(())
        }))
        .catch_unwind()
        .await;
        assert_eq!(*panicked.unwrap_err().downcast::<&str>().unwrap(), "task");
    });
}

#[test]
fn a_panic_of_the_body_stops_and_joins_the_tasks_first() {
    on_both(|| async {
        let live = Arc::new(Live::default());
        let spy = live.clone();
        let panicked = AssertUnwindSafe(scope(&Context::background(), async |s| {
            let token = live.token();
            s.spawn(async move |ctx| {
                ctx.done().await;
                tokio::task::yield_now().await;
                drop(token);
                Ok::<_, Cancelled>(())
            });
            if s.context().can_be_cancelled() {
                panic!("body");
            }
            Ok(())
        }))
        .catch_unwind()
        .await;
        assert_eq!(*panicked.unwrap_err().downcast::<&str>().unwrap(), "body");
        assert_eq!(spy.count(), 0);
    });
}

#[test]
fn a_panic_on_a_blocking_thread_is_resumed_too() {
    on_both(|| async {
        let panicked = AssertUnwindSafe(scope(&Context::background(), async |s| {
            s.spawn_blocking(|_| -> Result<(), Cancelled> { panic!("{}", "blocking") });
            Ok(())
        }))
        .catch_unwind()
        .await;
        assert_eq!(
            *panicked.unwrap_err().downcast::<String>().unwrap(),
            "blocking"
        );
    });
}

#[test]
fn a_panic_in_the_drop_of_a_capture_is_a_panic_of_the_task() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            if !std::thread::panicking() {
                panic!("capture");
            }
        }
    }
    on_both(|| async {
        let panicked = AssertUnwindSafe(scope(&Context::background(), async |s| {
            let bomb = Bomb;
            s.task().spawn_cancellable(async move {
                let _bomb = &bomb;
                Ok::<_, Cancelled>(())
            });
            Ok(())
        }))
        .catch_unwind()
        .await;
        assert_eq!(
            *panicked.unwrap_err().downcast::<&str>().unwrap(),
            "capture"
        );
    });
}
