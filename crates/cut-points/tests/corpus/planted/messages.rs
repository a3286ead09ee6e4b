//! Messages that are lost, torn, or delivered twice.

use std::cell::RefCell;
use std::collections::VecDeque;

use cut_points::{FaultKind, Report, world};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, DuplexStream};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::time::sleep;

use crate::{Planted, ms, planted, secs};

pub(super) fn programs() -> Vec<Planted> {
    use FaultKind::{Check, SecondCall};
    vec![
        planted(
            "order_between_queue_and_table",
            Check,
            1,
            order_between_queue_and_table,
        )
        .after("https://github.com/xaynetwork/xaynet/pull/577"),
        planted(
            "order_before_a_free_lock",
            Check,
            1,
            order_before_a_free_lock,
        ),
        planted(
            "message_in_a_full_channel",
            Check,
            1,
            message_in_a_full_channel,
        )
        .after("https://github.com/tokio-rs/tokio/pull/5947"),
        planted("batch_in_a_local", Check, 1, batch_in_a_local),
        planted("header_in_a_local", SecondCall, 1, header_in_a_local)
            .after("https://github.com/paritytech/soketto/issues/59"),
        planted("line_in_a_local", Check, 1, line_in_a_local)
            .after("https://github.com/meawoppl/rust-code-agent-sdks/pull/350"),
        planted("torn_read_exact", SecondCall, 1, torn_read_exact),
        planted(
            "handed_to_a_waiter_that_left",
            Check,
            1,
            handed_to_a_waiter_that_left,
        )
        .after("https://github.com/fereidani/kanal/issues/24"),
        planted(
            "sent_again_after_a_flush_was_cut",
            Check,
            1,
            sent_again_after_a_flush_was_cut,
        )
        .after("https://github.com/tokio-rs/tokio/issues/5310"),
    ]
}

struct Orders {
    waiting: Mutex<mpsc::Receiver<u32>>,
    shipped: Mutex<Vec<u32>>,
}

async fn orders() -> Orders {
    let (sender, waiting) = mpsc::channel(8);
    for order in 0..3 {
        sender.try_send(order).expect("there is room");
    }
    Orders {
        waiting: Mutex::new(waiting),
        shipped: Mutex::default(),
    }
}

async fn no_order_is_lost(orders: &Orders) {
    let waiting = orders.waiting.lock().await.len();
    assert_eq!(
        waiting + orders.shipped.lock().await.len(),
        3,
        "an order is lost"
    );
}

fn order_between_queue_and_table() -> Report {
    world(orders)
        .check(no_order_is_lost)
        .once()
        .drop_everywhere(async |orders: &Orders| {
            let mut waiting = orders.waiting.lock().await;
            while let Ok(order) = waiting.try_recv() {
                sleep(ms(5)).await; // CUT: the order is in nobody's hands
                orders
                    .shipped
                    .try_lock()
                    .expect("nobody else ships")
                    .push(order);
            }
        })
}

fn order_before_a_free_lock() -> Report {
    world(orders)
        .check(no_order_is_lost)
        .drop_everywhere(async |orders: &Orders| {
            let order = orders.waiting.lock().await.recv().await.ok_or("no order")?;
            let mut shipped = orders.shipped.lock().await; // CUT: free, and nevertheless a point
            shipped.push(order);
            Ok::<_, &str>(())
        })
}

struct Outbox {
    letters: RefCell<VecDeque<u32>>,
    post: mpsc::Sender<u32>,
    delivered: RefCell<mpsc::Receiver<u32>>,
}

async fn outbox() -> Outbox {
    let (post, delivered) = mpsc::channel(1);
    post.try_send(0).expect("there is room");
    let slow = post.clone();
    tokio::spawn(async move { slow.closed().await });
    Outbox {
        letters: RefCell::new((1..3).collect()),
        post,
        delivered: RefCell::new(delivered),
    }
}

fn message_in_a_full_channel() -> Report {
    world(outbox)
        .check(async |outbox: &Outbox| {
            let mut delivered = outbox.delivered.borrow_mut();
            let mut count = outbox.letters.borrow().len();
            while delivered.try_recv().is_ok() {
                count += 1;
            }
            assert_eq!(count, 3, "a letter is lost");
        })
        .once()
        .drop_everywhere(async |outbox: &Outbox| {
            let letter = outbox.letters.borrow_mut().pop_front().expect("a letter");
            tokio::select! { // CUT
                biased;
                // In a message loop the other branch is the next tick.
                sent = outbox.post.send(letter) => sent.expect("somebody reads"),
                () = sleep(secs(1)) => outbox.letters.borrow_mut().push_front(letter),
            }
        })
}

fn batch_in_a_local() -> Report {
    world(orders)
        .check(no_order_is_lost)
        .once()
        .drop_everywhere(async |orders: &Orders| {
            let mut waiting = orders.waiting.try_lock().expect("nobody else waits");
            let mut batch = Vec::new();
            while batch.len() < 3 {
                tokio::select! { // CUT
                    biased;
                    order = waiting.recv() => batch.push(order.expect("three")),
                    () = sleep(secs(1)) => break,
                }
            }
            orders
                .shipped
                .try_lock()
                .expect("nobody else ships")
                .append(&mut batch);
        })
}

struct Wire {
    stream: RefCell<BufReader<DuplexStream>>,
    frames: RefCell<Vec<String>>,
}

/// A peer that sends three frames in pieces.
async fn wire_of(pieces: &'static [&'static str]) -> Wire {
    let (near, mut far) = tokio::io::duplex(64);
    tokio::spawn(async move {
        for piece in pieces {
            far.write_all(piece.as_bytes())
                .await
                .expect("somebody reads");
            sleep(ms(10)).await;
        }
        sleep(secs(100_000)).await;
    });
    Wire {
        stream: RefCell::new(BufReader::new(near)),
        frames: RefCell::default(),
    }
}

fn header_in_a_local() -> Report {
    world(async || wire_of(&["\u{3}", "abc", "\u{3}def", "\u{3}g", "hi"]).await)
        .check(async |wire: &Wire| {
            let frames = wire.frames.borrow();
            let whole = ["abc", "def", "ghi"];
            assert_eq!(
                *frames,
                whole[..frames.len()],
                "a frame begins in the middle"
            );
        })
        .limit(secs(1000))
        .drop_everywhere(
            #[expect(clippy::await_holding_refcell_ref, reason = "one call at a time")]
            async |wire: &Wire| {
                let mut stream = wire.stream.borrow_mut();
                let length = stream.read_u8().await.map_err(|error| error.to_string())?;
                let mut frame = vec![0; usize::from(length)];
                let read = stream.read_exact(&mut frame).await; // CUT
                read.map_err(|error| error.to_string())?;
                let frame = String::from_utf8(frame).map_err(|error| error.to_string())?;
                wire.frames.borrow_mut().push(frame);
                Ok::<_, String>(())
            },
        )
}

fn line_in_a_local() -> Report {
    world(async || wire_of(&["a", "bc\n", "def\n"]).await)
        .check(async |wire: &Wire| {
            let frames = wire.frames.borrow();
            assert_eq!(
                *frames,
                ["abc\n", "def\n"][..frames.len()],
                "half a line is lost"
            );
        })
        .drop_everywhere(
            #[expect(clippy::await_holding_refcell_ref, reason = "one call at a time")]
            async |wire: &Wire| {
                let mut line = String::new();
                let mut stream = wire.stream.borrow_mut();
                let read = stream.read_line(&mut line).await; // CUT
                read.map_err(|error| error.to_string())?;
                wire.frames.borrow_mut().push(line);
                Ok::<_, String>(())
            },
        )
}

fn torn_read_exact() -> Report {
    world(async || wire_of(&["ab", "cdef", "gh"]).await)
        .limit(secs(1000))
        .drop_everywhere(
            #[expect(clippy::await_holding_refcell_ref, reason = "one call at a time")]
            async |wire: &Wire| {
                let mut stream = wire.stream.borrow_mut();
                let read = wire.frames.borrow().len();
                for expected in ["abcd", "efgh"].iter().skip(read) {
                    let mut frame = [0; 4];
                    let read = stream.read_exact(&mut frame).await; // CUT
                    read.map_err(|error| error.to_string())?;
                    if frame != expected.as_bytes() {
                        return Err(format!("a torn frame: {frame:?}"));
                    }
                    wire.frames.borrow_mut().push((*expected).to_owned());
                }
                Ok(())
            },
        )
}

/// A channel that hands a value to the first who waits, without a way back.
#[derive(Default)]
struct Handover {
    waiting: RefCell<VecDeque<oneshot::Sender<u32>>>,
    values: RefCell<VecDeque<u32>>,
}

impl Handover {
    fn send(&self, mut value: u32) {
        while let Some(waiter) = self.waiting.borrow_mut().pop_front() {
            match waiter.send(value) {
                Ok(()) => return,
                Err(back) => value = back,
            }
        }
        self.values.borrow_mut().push_back(value);
    }

    async fn recv(&self) -> u32 {
        if let Some(value) = self.values.borrow_mut().pop_front() {
            return value;
        }
        let (sender, receiver) = oneshot::channel();
        self.waiting.borrow_mut().push_back(sender);
        receiver.await.expect("a value comes") // CUT: after it was sent, before it was polled
    }
}

fn handed_to_a_waiter_that_left() -> Report {
    struct Desk {
        channel: Handover,
        got: RefCell<u32>,
        sent: RefCell<u32>,
    }
    world(async || Desk {
        channel: Handover::default(),
        got: RefCell::new(0),
        sent: RefCell::new(0),
    })
    .check(async |desk: &Desk| {
        let (sent, got) = (*desk.sent.borrow(), *desk.got.borrow());
        let kept = desk.channel.values.borrow().len();
        assert_eq!(sent as usize, got as usize + kept, "a value is lost");
    })
    .once()
    .drop_everywhere(async |desk: &Desk| {
        let receive = async {
            desk.channel.recv().await;
            *desk.got.borrow_mut() += 1;
        };
        let send = async {
            sleep(ms(1)).await;
            desk.channel.send(7);
            *desk.sent.borrow_mut() += 1;
            sleep(ms(1)).await;
        };
        tokio::join!(biased; receive, send);
    })
}

struct Socket {
    buffer: RefCell<Vec<u32>>,
    arrived: RefCell<Vec<u32>>,
}

impl Socket {
    /// Like the sink of a codec: first into the buffer, then out of it.
    async fn send(&self, message: u32) {
        self.buffer.borrow_mut().push(message);
        sleep(ms(1)).await; // CUT: it is in the buffer, and is sent again
        self.arrived
            .borrow_mut()
            .append(&mut self.buffer.borrow_mut());
    }
}

fn sent_again_after_a_flush_was_cut() -> Report {
    world(async || Socket {
        buffer: RefCell::default(),
        arrived: RefCell::default(),
    })
    .check(async |socket: &Socket| {
        let arrived = socket.arrived.borrow();
        assert!(arrived.len() <= 1, "it arrived twice");
    })
    .drop_everywhere(async |socket: &Socket| {
        if socket.arrived.borrow().is_empty() {
            socket.send(7).await;
        }
    })
}
