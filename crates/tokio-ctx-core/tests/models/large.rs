//! Too large for loom: a server with tenants and requests, a dozen threads, everything at once.

use std::time::Duration;

use tokio_ctx_core::{CancelHandle, Context, model};

use super::harness::{Model, cancellable, err, spawn, wait};
use super::on_cancel::Runs;

struct Request {
    ctx: Context,
    handle: CancelHandle,
    runs: Runs,
}

/// Everybody is woken, every callback runs once with its context's outcome, and no request
/// contradicts what is above it.
#[test]
fn server_with_tenants_and_requests() {
    Model::of(1).explore(|_| {
        let (server, stop) = cancellable(&Context::background());
        let (suspended, suspend) = cancellable(&Context::background());
        let tenants = [
            server.with_cancel().disarm(),
            server.with_timeout(Duration::from_millis(10)),
            server.merge(&suspended),
        ];
        let requests: Vec<Request> = (0..6)
            .map(|number| {
                let (ctx, handle) = cancellable(&tenants[number % 3]);
                let runs = Runs::default();
                ctx.on_cancel(runs.callback()).disarm();
                Request { ctx, handle, runs }
            })
            .collect();

        let waiters: Vec<_> = requests
            .iter()
            .map(|request| {
                let ctx = request.ctx.clone();
                spawn(move || wait(&ctx))
            })
            .collect();
        let own = requests[3].handle.clone();
        let read = [requests[4].ctx.clone(), requests[5].ctx.clone()];
        let events = [
            spawn(move || {
                suspend.cancel_with("S");
            }),
            spawn(model::lose_timers),
            spawn(|| model::advance(Duration::from_millis(10))),
            spawn(move || {
                own.cancel_with("R");
            }),
            spawn(move || {
                for ctx in &read {
                    let is_done = ctx.is_done();
                    assert!(!is_done || ctx.err().is_some());
                }
            }),
        ];
        stop.cancel_with("A");
        for event in events {
            event.join().unwrap();
        }
        // All of them first: whoever is woken may have callbacks of others to run.
        let outcomes: Vec<char> = waiters
            .into_iter()
            .map(|waiter| waiter.join().unwrap())
            .collect();
        for (number, (request, outcome)) in requests.iter().zip(outcomes).enumerate() {
            assert_eq!(err(&request.ctx), Some(outcome));
            assert_eq!(request.runs.all(), outcome.to_string());
            let above = err(&tenants[number % 3]);
            assert!(above == Some(outcome) || (number == 3 && outcome == 'R'));
            let possible = ["A", "Ad", "AS"][number % 3];
            assert!(above.is_some_and(|above| possible.contains(above)));
        }
        assert_eq!(err(&server), Some('A'));
    });
}
