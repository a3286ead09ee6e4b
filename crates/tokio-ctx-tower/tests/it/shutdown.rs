//! Servers that stop in order.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use spawn_scoped::scope;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio_ctx_core::{Cancelled, Context, Reason};
use tokio_ctx_tower::serve::{ServeOptions, serve};
use tokio_ctx_tower::{ContextError, ContextLayer};

use crate::stage::{Event, H2, Stage, answer, ask, at_once, eventually, send, within};

#[tokio::test]
async fn requests_learn_why_the_server_stops_and_are_waited_for() {
    for reason in [Reason::Shutdown, Reason::Signal] {
        let mut stage = Stage::start().await;
        let client = send(stage.address, "GET /late", &[]).await;
        stage.started().await;
        assert!(stage.stop.cancel_with(reason));
        assert_eq!(stage.ended().await.0, reason);
        let last = answer(client).await;
        assert_eq!(
            (last.status, last.json()["code"].as_str()),
            (503, Some("shutting_down"))
        );
        stage.shut_down().await;
    }
}

#[tokio::test]
async fn idle_connections_are_closed_and_new_ones_refused() {
    let stage = Stage::start().await;
    let address = stage.address;
    let idle = TcpStream::connect(address).await.unwrap();
    let h2 = H2::connect(address).await;
    assert_eq!(ask(address, "GET /look", &[]).await.status, 200);
    let report = stage.shut_down().await;
    assert_eq!(report.num_connections(), 3);
    assert!(report.took() < Duration::from_secs(5), "{report:?}");
    assert!(TcpStream::connect(address).await.is_err());
    drop((idle, h2));
}

#[tokio::test]
async fn with_a_drain_requests_go_on_undisturbed() {
    let drain = ServeOptions::new().drain(crate::stage::LONG);
    let mut stage = Stage::with(drain, |layer| layer).await;
    let headers = [("content-length", "5")];
    let mut client = send(stage.address, "POST /length", &headers).await;
    stage.started().await;
    let address = stage.address;
    let live = stage.layer.clone();
    let mut events = stage.take_events();
    let started = Instant::now();
    let (last, report) = tokio::join!(
        async {
            eventually("nobody accepts", || {
                std::net::TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_err()
            })
            .await;
            assert_eq!(live.live_requests(), 1);
            client.write_all(b"12345").await.unwrap();
            answer(client).await
        },
        stage.shut_down(),
    );
    assert_eq!((last.status, &*last.body), (200, "5"));
    let Some(Event::Ended(why, _)) = within(events.recv()).await else {
        panic!("no end");
    };
    assert_eq!(why.reason(), Reason::RequestFinished);
    // The last one to go ends the drain.
    assert!(started.elapsed() < crate::stage::LONG, "{report:?}");
}

#[tokio::test]
async fn what_outlives_its_grace_is_aborted_and_told() {
    for is_h2 in [false, true] {
        let grace = at_once().grace(Duration::from_millis(50));
        let mut stage = Stage::with(grace, |layer| layer).await;
        let client = match is_h2 {
            false => Some(send(stage.address, "GET /stubborn", &[]).await),
            true => None,
        };
        let mut h2 = H2::connect(stage.address).await;
        let call = match is_h2 {
            false => None,
            true => Some(h2.send("/stubborn", &[]).await),
        };
        stage.started().await;
        let layer = stage.layer.clone();
        let report = stage.end().await;
        assert!(!report.is_clean());
        let aborted: Vec<_> = report
            .aborted()
            .iter()
            .filter_map(|task| task.name.as_deref())
            .collect();
        assert!(
            aborted.contains(if is_h2 { &"stream" } else { &"connection" }),
            "{report}"
        );
        assert_eq!(report.requests_cut(), 1, "{report}");
        assert_eq!(layer.live_requests(), 0);
        drop((client, call, h2));
    }
}

#[tokio::test]
async fn stragglers_are_named() {
    let mut stage = Stage::start().await;
    let client = send(stage.address, "GET /slow-to-stop", &[]).await;
    stage.started().await;
    let report = stage.shut_down().await;
    assert_eq!(report.stragglers().len(), 1, "{report:?}");
    assert!(report.took() > Duration::from_secs(1), "{report:?}");
    assert_eq!(answer(client).await.body, "slow");
}

#[tokio::test(start_paused = true)]
async fn work_that_ends_soon_after_its_connection_is_no_straggler() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let ctx = Context::background().with_cancel();
    ctx.cancel();
    let served = serve(&ctx, listener, |server| {
        server.isolated(async |ctx| {
            ctx.done().await;
            tokio::time::sleep(Duration::from_millis(300)).await; // its wind-down
        });
        Router::new()
    });
    let report = served.await;
    assert!(report.stragglers().is_empty(), "{report:?}");
    assert!(report.took() >= Duration::from_millis(300), "{report:?}");
}

#[tokio::test]
async fn a_server_that_is_dropped_leaves_nothing_behind() {
    let mut stage = Stage::start().await;
    let client = send(stage.address, "GET /hang", &[]).await;
    stage.started().await;
    let layer = stage.layer.clone();
    stage.abort().await;
    eventually("its request ends", || layer.live_requests() == 0).await;
    within(spawn_scoped::root().join()).await;
    drop(client);
}

#[tokio::test]
async fn the_scope_around_a_server_waits_for_what_the_server_leaves() {
    let stopped = Arc::new(AtomicBool::new(false));
    let (started, mut is_started) = tokio::sync::mpsc::channel(1);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let leave = stopped.clone();
    let handler = async move |ctx: Context| {
        let hung: Result<(), Cancelled> = scope(&ctx, async |s| {
            s.spawn(async move |ctx| {
                started.send(()).await.unwrap();
                let why = ctx.done().await;
                tokio::time::sleep(Duration::from_millis(50)).await;
                leave.store(true, Ordering::Relaxed);
                Err(why)
            })
            .await
        })
        .await;
        hung.map_err(ContextError::from)
    };
    let around: Result<(), Cancelled> = scope(&Context::background(), async |s| {
        let serving = serve(s.context(), listener, |server| {
            let layer = ContextLayer::new(server.context());
            Router::new().route("/", get(handler)).layer(layer)
        });
        let client = send(address, "GET /", &[]).await;
        tokio::select! {
            served = serving => panic!("{served:?}"),
            _ = is_started.recv() => drop(client),
        }
        assert!(!stopped.load(Ordering::Relaxed));
        Ok(())
    })
    .await;
    around.unwrap();
    assert!(stopped.load(Ordering::Relaxed), "the scope did not wait");
}
