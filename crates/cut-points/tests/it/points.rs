//! Which points a call has.

use std::future::Future as _;
use std::time::Duration;

use cut_points::world;
use tokio::sync::mpsc;
use tokio::task::yield_now;
use tokio::time::sleep;

#[test]
fn each_await_that_waits_is_a_point_and_costs_one_run() {
    let report = world(async || ())
        .skip_ready()
        .drop_everywhere(async |(): &()| {
            for _ in 0..10 {
                sleep(Duration::from_secs(1)).await;
            }
        });
    report.assert_ok();
    assert_eq!(report.points(), 10);
    assert_eq!(report.runs(), 10 + 3);
    assert_eq!(report.cuts().len(), 10);
    assert!(report.notes().is_empty(), "{report}");
}

#[test]
fn a_poll_of_a_spawned_task_is_a_point_unless_it_is_left_out() {
    let two_tasks = async |(): &()| {
        let one = tokio::spawn(async { yield_now().await });
        let two = tokio::spawn(async { yield_now().await });
        (one.await, two.await)
    };
    let run = async move |w: &()| drop(two_tasks(w).await);
    let steps = world(async || ()).tasks_may_outlive().drop_everywhere(run);
    let awaits = world(async || ())
        .tasks_may_outlive()
        .skip_tasks()
        .drop_everywhere(run);
    assert!(steps.is_ok() && awaits.is_ok(), "{steps}{awaits}");
    // Two tasks are polled twice each, the second end of which wakes nobody who waits.
    assert!(steps.points() >= awaits.points() + 4, "{steps}{awaits}");
}

#[test]
fn an_await_that_is_ready_at_once_is_a_point_unless_it_is_left_out() {
    let world = || {
        world(async || {
            let (sender, receiver) = mpsc::channel(8);
            for number in 0..5 {
                sender.try_send(number).expect("there is room");
            }
            tokio::sync::Mutex::new((sender, receiver))
        })
        .once()
    };
    let drain = async |queue: &tokio::sync::Mutex<(_, mpsc::Receiver<u32>)>| {
        let mut queue = queue.try_lock().expect("nobody else has it");
        for _ in 0..5 {
            queue.1.recv().await;
        }
    };
    assert_eq!(world().drop_everywhere(drain).points(), 4);
    assert_eq!(world().skip_ready().drop_everywhere(drain).points(), 0);
}

#[test]
fn a_call_that_never_waits_is_said_to_have_no_point() {
    let report = world(async || ()).drop_everywhere(async |(): &()| {});
    report.assert_ok();
    assert!(report.notes()[0].contains("never waits"), "{report}");
}

#[test]
fn points_beyond_the_most_are_drawn_by_a_seed_that_is_printed() {
    let world = || world(async || ()).at_most(5);
    let run = async |(): &()| {
        for _ in 0..50 {
            yield_now().await;
        }
    };
    let cuts = |report: cut_points::Report| {
        report
            .cuts()
            .iter()
            .map(cut_points::Cut::point)
            .collect::<Vec<_>>()
    };
    let report = world().drop_everywhere(run);
    assert_eq!(report.points(), 50);
    let note = &report.notes()[0];
    let seed = note.split("CUT_POINTS_SEED=").nth(1).expect("a seed");
    let seed: u64 = seed
        .split(' ')
        .next()
        .expect("a number")
        .parse()
        .expect("a number");
    let first = cuts(report);
    assert_eq!(first.len(), 5);
    assert_eq!(cuts(world().seed(seed).drop_everywhere(run)), first);
}

#[test]
fn one_point_can_be_cut_alone() {
    let report = world(async || ()).only(3).drop_everywhere(async |(): &()| {
        for _ in 0..10 {
            yield_now().await;
        }
    });
    assert_eq!(report.cuts().len(), 1);
    assert_eq!(report.cuts()[0].point(), 3);
}

#[test]
fn the_clock_is_that_of_a_plain_runtime() {
    async fn timeline() -> Vec<(u8, Duration)> {
        let began = tokio::time::Instant::now();
        let (sender, mut receiver) = mpsc::unbounded_channel();
        for id in 0..3_u8 {
            let sender = sender.clone();
            tokio::spawn(async move {
                for step in 1..=5_u64 {
                    sleep(Duration::from_millis(step * (7 + u64::from(id)))).await;
                    sender
                        .send((id, began.elapsed()))
                        .expect("the receiver is there");
                }
            });
        }
        drop(sender);
        let mut events = Vec::new();
        while let Some(event) = receiver.recv().await {
            events.push(event);
        }
        events
    }
    let plain = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime")
        .block_on(timeline());
    assert_eq!(plain.len(), 15);
    let report = world(async || ())
        .tasks_may_outlive()
        .drop_everywhere(async move |(): &()| {
            let events = timeline().await;
            if events == plain { Ok(()) } else { Err(events) }
        });
    assert!(report.is_ok(), "{report}");
}

#[test]
fn a_call_that_takes_other_steps_each_time_is_said_to_and_is_tried_several_times() {
    let times = std::cell::Cell::new(0);
    let report = world(async || ())
        .once()
        .skip_ready()
        .drop_everywhere(async move |(): &()| {
            times.set(times.get() + 1);
            for _ in 0..3 + times.get() % 2 {
                yield_now().await;
            }
        });
    report.assert_ok();
    assert_eq!(report.points(), 4);
    assert!(
        report.notes()[0].starts_with("two runs without a cut differ"),
        "{report}"
    );
}

#[test]
fn a_call_that_goes_wrong_where_a_ready_await_waits_is_cut_without_that_and_it_is_said() {
    let report = world(async || ()).drop_everywhere(async |(): &()| {
        let (sender, mut receiver) = mpsc::channel(2);
        sender.try_send(1).expect("there is room");
        sender.try_send(2).expect("there is room");
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        // One poll, as `now_or_never` makes it.
        let mut polled = || std::pin::pin!(receiver.recv()).poll(&mut cx).is_ready();
        let both = polled() && polled();
        yield_now().await;
        if both {
            Ok(())
        } else {
            Err("it saw one of two")
        }
    });
    report.assert_ok();
    assert_eq!(report.points(), 1);
    let note = &report.notes()[0];
    assert!(
        note.contains("as it may under load") && note.contains("it saw one of two"),
        "{report}"
    );
}
