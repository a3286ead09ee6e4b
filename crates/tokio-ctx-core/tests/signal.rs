//! The feature `signal`. Signals are the whole process's, hence a binary of its own.

#![cfg(all(unix, feature = "signal", not(any(loom, shuttle))))]

use std::future::Future;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::time::timeout;
use tokio_ctx_core::{Context, Reason};

const PATIENCE: Duration = Duration::from_secs(30);

/// Runs one test at a time: a signal reaches every context that listens.
fn alone<F: Future>(test: F) -> F::Output {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(test)
}

/// Sends a signal to this process.
fn raise(name: &str) {
    let command = format!("kill -{name} {}", std::process::id());
    let status = Command::new("sh").args(["-c", &command]).status();
    assert!(status.expect("there is a shell").success());
}

#[test]
fn each_signal_ends_the_context_and_says_which_it_was() {
    for (name, text) in [
        ("INT", "cancelled by a signal: Ctrl-C (watched at "),
        ("TERM", "cancelled by a signal: SIGTERM (watched at "),
    ] {
        alone(async {
            let line = line!() + 1;
            let server = Context::background().with_signals().expect("signals");
            let request = server.with_cancel();
            assert!(!request.is_done());
            raise(name);
            let done = timeout(PATIENCE, request.done());
            let cancelled = done.await.expect("the signal arrives");
            assert_eq!(cancelled.reason(), Reason::Signal);
            assert!(cancelled.to_string().starts_with(text), "{cancelled}");
            assert_eq!(
                (cancelled.location().file(), cancelled.location().line()),
                (file!(), line)
            );
            assert!(server.is_done());
            assert!(!server.cancel());
        });
    }
}

#[test]
fn every_context_that_listens_is_told() {
    alone(async {
        let one = Context::background().with_signals().expect("signals");
        let two = Context::background().with_signals().expect("signals");
        raise("TERM");
        for ctx in [&one, &two] {
            let done = timeout(PATIENCE, ctx.done());
            let reason = done.await.expect("the signal arrives").reason();
            assert_eq!(reason, Reason::Signal);
        }
    });
}

#[test]
fn callbacks_run_with_the_reason() {
    alone(async {
        let server = Context::background().with_signals().expect("signals");
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let _callback = server.on_cancel(move |why| sender.send(why.reason()).expect("received"));
        raise("INT");
        let reason = timeout(PATIENCE, receiver)
            .await
            .expect("the signal arrives");
        assert_eq!(reason, Ok(Reason::Signal));
    });
}

#[test]
fn a_cancel_before_the_signal_wins_and_a_later_signal_is_not_deadly() {
    alone(async {
        let server = Context::background().with_signals().expect("signals");
        server.cancel_with("done already");
        raise("TERM");
        let listens = Context::background().with_signals().expect("signals");
        raise("TERM");
        timeout(PATIENCE, listens.done())
            .await
            .expect("the signal arrives");
        assert_eq!(server.err().expect("it ended").reason(), Reason::Cancelled);
    });
}

#[test]
fn giving_up_the_guard_ends_the_watch() {
    alone(async {
        let metrics = Handle::current().metrics();
        let parent = Context::background().with_cancel();
        for keep in [false, true] {
            let server = parent.with_signals().expect("signals");
            tokio::task::yield_now().await;
            assert_eq!(metrics.num_alive_tasks(), 1);
            if keep {
                let ctx = server.disarm();
                assert!(!ctx.is_done());
                parent.cancel();
            } else {
                drop(server);
            }
            let over = async {
                while metrics.num_alive_tasks() > 0 {
                    tokio::task::yield_now().await;
                }
            };
            timeout(PATIENCE, over)
                .await
                .expect("the watch ends with its context");
        }
    });
}

#[test]
fn a_name_above_is_part_of_the_text() {
    alone(async {
        let named = Context::background().with_name("server");
        let server = named.with_signals().expect("signals");
        let shared = Arc::new(Context::clone(&server));
        raise("INT");
        let cancelled = timeout(PATIENCE, shared.done())
            .await
            .expect("the signal arrives");
        assert_eq!(cancelled.name(), Some("server"));
    });
}
