//! Channels: async-channel 2.5.0, flume 0.12.0, async-broadcast 0.7.2, kanal 0.1.1.

use std::cell::Cell;
use std::rc::Rc;

use cut_points::{Report, world};
use cut_points_found::{finds, holds, ms};
use tokio::time::sleep;

/// Sends three times beside three receives, and drops both at once.
///
/// What was sent must have been received, or still be there.
fn lost<S: 'static, R: 'static>(
    make: impl Fn() -> (S, R) + 'static,
    send: impl AsyncFn(&S) + 'static,
    receive: impl AsyncFn(&R) + 'static,
    waiting: impl Fn(&R) -> usize + 'static,
) -> Report {
    let counts = Rc::new((Cell::new(0), Cell::new(0)));
    let (begin, seen) = (Rc::clone(&counts), Rc::clone(&counts));
    world(async move || {
        begin.0.set(0);
        begin.1.set(0);
        make()
    })
    .once()
    .check(async move |(_, receiver): &(S, R)| {
        let (sent, received): (usize, usize) = (seen.0.get(), seen.1.get());
        assert!(sent <= received + waiting(receiver), "a message is lost");
    })
    .drop_everywhere(async move |(sender, receiver): &(S, R)| {
        let receive = async {
            for _ in 0..3 {
                receive(receiver).await;
                counts.1.set(counts.1.get() + 1);
                sleep(ms(1)).await;
            }
        };
        let send = async {
            for _ in 0..3 {
                sleep(ms(2)).await;
                send(sender).await;
                counts.0.set(counts.0.get() + 1);
            }
        };
        tokio::join!(biased; receive, send);
    })
}

#[test]
fn async_channel_loses_nothing() {
    holds(&lost(
        || async_channel::bounded(1),
        async |sender: &async_channel::Sender<u32>| sender.send(7).await.expect("open"),
        async |receiver: &async_channel::Receiver<u32>| {
            receiver.recv().await.expect("open");
        },
        |receiver| receiver.len(),
    ));
}

#[test]
fn flume_loses_nothing() {
    for capacity in [0, 1] {
        holds(&lost(
            move || flume::bounded(capacity),
            async |sender: &flume::Sender<u32>| sender.send_async(7).await.expect("open"),
            async |receiver: &flume::Receiver<u32>| {
                receiver.recv_async().await.expect("open");
            },
            |receiver| receiver.len(),
        ));
    }
}

#[test]
fn async_broadcast_loses_nothing() {
    type Receiver = tokio::sync::Mutex<async_broadcast::Receiver<u32>>;
    holds(&lost(
        || {
            let (sender, receiver) = async_broadcast::broadcast(2);
            (sender, Receiver::new(receiver))
        },
        async |sender: &async_broadcast::Sender<u32>| {
            sender.broadcast(7).await.expect("open");
        },
        async |receiver: &Receiver| {
            let mut receiver = receiver.try_lock().expect("one receives");
            receiver.recv().await.expect("open");
        },
        |receiver| receiver.try_lock().expect("nobody receives").len(),
    ));
}

/// Its documentation says so.
#[test]
fn kanal_loses_a_message_that_was_handed_to_a_receiver() {
    finds("a message is lost", "tests/channels.rs", || {
        lost(
            kanal::unbounded_async,
            async |sender: &kanal::AsyncSender<u32>| sender.send(7).await.expect("open"),
            async |receiver: &kanal::AsyncReceiver<u32>| {
                receiver.recv().await.expect("open");
            },
            |receiver| receiver.len(),
        )
    });
}
