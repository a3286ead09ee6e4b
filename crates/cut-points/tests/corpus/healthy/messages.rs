//! Messages that arrive once, whatever is cut.

use std::cell::RefCell;
use std::collections::{BTreeSet, VecDeque};
use std::pin::pin;

use cut_points::{Report, world};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, DuplexStream};
use tokio::sync::{Mutex, Notify, mpsc};
use tokio::time::{interval, sleep, timeout};

use crate::{Healthy, ms, secs};

pub(super) fn programs() -> Vec<Healthy> {
    vec![
        Healthy {
            name: "shipped_before_it_is_taken",
            run: shipped_before_it_is_taken,
        },
        Healthy {
            name: "reserved_before_it_is_taken",
            run: reserved_before_it_is_taken,
        },
        Healthy {
            name: "received_and_stored_in_one_poll",
            run: received_and_stored_in_one_poll,
        },
        Healthy {
            name: "batch_that_outlives_the_call",
            run: batch_that_outlives_the_call,
        },
        Healthy {
            name: "batch_that_goes_back",
            run: batch_that_goes_back,
        },
        Healthy {
            name: "bytes_in_a_buffer_that_stays",
            run: bytes_in_a_buffer_that_stays,
        },
        Healthy {
            name: "line_in_a_buffer_that_stays",
            run: line_in_a_buffer_that_stays,
        },
        Healthy {
            name: "read_exact_pinned_outside_of_its_loop",
            run: read_exact_pinned,
        },
        Healthy {
            name: "delivered_twice_and_stored_once",
            run: delivered_twice_and_stored_once,
        },
        Healthy {
            name: "notification_behind_a_condition",
            run: notification_behind_a_condition,
        },
        Healthy {
            name: "drained_without_waiting",
            run: drained_without_waiting,
        },
    ]
}

struct Orders {
    waiting: RefCell<VecDeque<u32>>,
    shipped: RefCell<BTreeSet<u32>>,
}

async fn orders() -> Orders {
    Orders {
        waiting: RefCell::new((0..3).collect()),
        shipped: RefCell::default(),
    }
}

async fn no_order_is_lost(orders: &Orders) {
    let mut all: BTreeSet<_> = orders.waiting.borrow().iter().copied().collect();
    all.extend(orders.shipped.borrow().iter());
    assert_eq!(all.len(), 3, "an order is lost");
}

/// At least once: an order may be shipped again, under its number.
fn shipped_before_it_is_taken() -> Report {
    world(orders)
        .check(no_order_is_lost)
        .drop_everywhere(async |orders: &Orders| {
            loop {
                let Some(order) = orders.waiting.borrow().front().copied() else {
                    break;
                };
                sleep(ms(5)).await;
                orders.shipped.borrow_mut().insert(order);
                sleep(ms(5)).await;
                orders.waiting.borrow_mut().pop_front();
            }
        })
}

struct Outbox {
    letters: RefCell<VecDeque<u32>>,
    post: mpsc::Sender<u32>,
    delivered: Mutex<mpsc::Receiver<u32>>,
}

async fn outbox() -> Outbox {
    let (post, delivered) = mpsc::channel(1);
    Outbox {
        letters: RefCell::new((0..3).collect()),
        post,
        delivered: Mutex::new(delivered),
    }
}

fn reserved_before_it_is_taken() -> Report {
    world(outbox)
        .check(async |outbox: &Outbox| {
            let delivered = outbox.delivered.lock().await.len();
            let waits = outbox.letters.borrow().len() + delivered;
            assert!(waits <= 3);
            let next = outbox.letters.borrow().front().copied();
            assert!(next.is_none_or(|next| next as usize + outbox.letters.borrow().len() == 3));
        })
        .drop_everywhere(async |outbox: &Outbox| {
            let mut delivered = outbox.delivered.lock().await;
            while delivered.try_recv().is_ok() {}
            while !outbox.letters.borrow().is_empty() {
                let room = outbox
                    .post
                    .reserve()
                    .await
                    .map_err(|error| error.to_string())?;
                let letter = outbox.letters.borrow_mut().pop_front();
                room.send(letter.ok_or("it was there")?);
                sleep(ms(1)).await;
                delivered.recv().await;
            }
            Ok::<_, String>(())
        })
}

struct Inbox {
    waiting: Mutex<mpsc::Receiver<u32>>,
    stored: RefCell<Vec<u32>>,
}

async fn inbox() -> Inbox {
    let (sender, waiting) = mpsc::channel(8);
    for message in 0..3 {
        sender.try_send(message).expect("there is room");
    }
    Inbox {
        waiting: Mutex::new(waiting),
        stored: RefCell::default(),
    }
}

async fn no_message_is_lost(inbox: &Inbox) {
    let waiting = inbox.waiting.lock().await.len();
    assert_eq!(
        waiting + inbox.stored.borrow().len(),
        3,
        "a message is lost"
    );
}

fn received_and_stored_in_one_poll() -> Report {
    world(inbox)
        .check(no_message_is_lost)
        .drop_everywhere(async |inbox: &Inbox| {
            let mut waiting = inbox.waiting.lock().await;
            while let Some(message) = waiting.recv().await {
                inbox.stored.borrow_mut().push(message);
                sleep(ms(1)).await;
            }
        })
}

/// What is collected belongs to the world, not to the call.
fn batch_that_outlives_the_call() -> Report {
    world(inbox)
        .check(no_message_is_lost)
        .drop_everywhere(async |inbox: &Inbox| {
            let mut waiting = inbox.waiting.lock().await;
            loop {
                tokio::select! {
                    biased;
                    message = waiting.recv() => match message {
                        Some(message) => inbox.stored.borrow_mut().push(message),
                        None => break,
                    },
                    () = sleep(secs(1)) => break,
                }
            }
        })
}

/// A destructor puts back what was not stored.
fn batch_that_goes_back() -> Report {
    struct Batch<'a> {
        orders: Vec<u32>,
        home: &'a Orders,
    }
    impl Drop for Batch<'_> {
        fn drop(&mut self) {
            self.home.waiting.borrow_mut().extend(self.orders.drain(..));
        }
    }
    world(orders)
        .check(no_order_is_lost)
        .drop_everywhere(async |orders: &Orders| {
            let mut batch = Batch {
                orders: Vec::new(),
                home: orders,
            };
            while let Some(order) = { orders.waiting.borrow_mut().pop_front() } {
                batch.orders.push(order);
                sleep(ms(1)).await;
            }
            orders.shipped.borrow_mut().extend(batch.orders.drain(..));
        })
}

struct Wire {
    stream: Mutex<(BufReader<DuplexStream>, Vec<u8>)>,
    frames: RefCell<Vec<String>>,
}

async fn wire_of(pieces: &'static [&'static str]) -> Wire {
    let (near, mut far) = tokio::io::duplex(64);
    tokio::spawn(async move {
        for piece in pieces {
            if far.write_all(piece.as_bytes()).await.is_err() {
                return;
            }
            sleep(ms(10)).await;
        }
        far.read_u8().await.expect_err("nothing is sent this way");
    });
    Wire {
        stream: Mutex::new((BufReader::new(near), Vec::new())),
        frames: RefCell::default(),
    }
}

async fn whole_frames(wire: &Wire) {
    let frames = wire.frames.borrow();
    assert_eq!(*frames, ["abc\n", "def\n", "ghi\n"][..frames.len()]);
}

const PIECES: &[&str] = &["a", "bc\nde", "f\ng", "hi\n"];

fn bytes_in_a_buffer_that_stays() -> Report {
    world(async || wire_of(PIECES).await)
        .check(whole_frames)
        .drop_everywhere(async |wire: &Wire| {
            let (stream, buffer) = &mut *wire.stream.lock().await;
            while wire.frames.borrow().len() < 3 {
                stream
                    .read_buf(buffer)
                    .await
                    .map_err(|error| error.to_string())?;
                while buffer.len() >= 4 {
                    let rest = buffer.split_off(4);
                    let frame = std::mem::replace(buffer, rest);
                    let frame = String::from_utf8(frame).map_err(|error| error.to_string())?;
                    wire.frames.borrow_mut().push(frame);
                }
            }
            Ok::<_, String>(())
        })
}

fn line_in_a_buffer_that_stays() -> Report {
    world(async || wire_of(PIECES).await)
        .check(whole_frames)
        .drop_everywhere(async |wire: &Wire| {
            let (stream, buffer) = &mut *wire.stream.lock().await;
            while wire.frames.borrow().len() < 3 {
                stream
                    .read_until(b'\n', buffer)
                    .await
                    .map_err(|error| error.to_string())?;
                let line = String::from_utf8(std::mem::take(buffer));
                wire.frames
                    .borrow_mut()
                    .push(line.map_err(|error| error.to_string())?);
            }
            Ok::<_, String>(())
        })
}

/// `read_exact` in a `select!`, used rightly: it is polled on, not begun anew. Dropped as a whole
/// it takes the connection with it, which the next call opens again.
fn read_exact_pinned() -> Report {
    world(async || ())
        .settle(secs(1))
        .drop_everywhere(async |(): &()| {
            let wire = wire_of(PIECES).await;
            let mut frame = [0; 12];
            let (stream, _) = &mut *wire.stream.lock().await;
            let mut tick = interval(ms(7));
            let mut read = pin!(stream.read_exact(&mut frame));
            loop {
                tokio::select! {
                    biased;
                    read = &mut read => break read.map(drop).map_err(|error| error.to_string())?,
                    _ = tick.tick() => {}
                }
            }
            if frame == *b"abc\ndef\nghi\n" {
                Ok(())
            } else {
                Err(format!("{frame:?}"))
            }
        })
}

/// The sender does not know whether the first try arrived, and says it again under one number.
fn delivered_twice_and_stored_once() -> Report {
    world(orders)
        .check(no_order_is_lost)
        .drop_everywhere(async |orders: &Orders| {
            for order in 0..3 {
                for attempt in 0..3 {
                    let sent = timeout(ms(2), async {
                        orders.shipped.borrow_mut().insert(order);
                        sleep(ms(3 - attempt)).await; // the answer comes too late, at first
                    });
                    if sent.await.is_ok() {
                        break;
                    }
                }
                orders
                    .waiting
                    .borrow_mut()
                    .retain(|waiting| *waiting != order);
            }
        })
}

fn notification_behind_a_condition() -> Report {
    struct Jobs {
        waiting: RefCell<u32>,
        wake: Notify,
    }
    world(async || {
        let jobs = Jobs {
            waiting: RefCell::new(2),
            wake: Notify::new(),
        };
        jobs.wake.notify_one();
        jobs
    })
    .drop_everywhere(async |jobs: &Jobs| {
        // The condition first: a notification that somebody else has taken does not matter.
        while *jobs.waiting.borrow() == 0 {
            jobs.wake.notified().await;
        }
        while *jobs.waiting.borrow() > 0 {
            sleep(ms(1)).await;
            *jobs.waiting.borrow_mut() -= 1;
        }
        *jobs.waiting.borrow_mut() = 2;
    })
}

/// A poll that does not wait: with a spent budget it finds nothing, and that is no fault.
fn drained_without_waiting() -> Report {
    world(inbox)
        .check(no_message_is_lost)
        .drop_everywhere(async |inbox: &Inbox| {
            let mut waiting = inbox.waiting.lock().await;
            sleep(ms(1)).await;
            while let Ok(message) = waiting.try_recv() {
                inbox.stored.borrow_mut().push(message);
            }
            sleep(ms(1)).await;
        })
}
