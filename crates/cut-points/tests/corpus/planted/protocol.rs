//! Connections that are left in the middle of a conversation.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use cut_points::{FaultKind, Report, world};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::mpsc;
use tokio::time::sleep;

use crate::{Planted, ms, planted, secs};

pub(super) fn programs() -> Vec<Planted> {
    use FaultKind::{Check, SecondCall};
    vec![
        planted(
            "reply_of_the_request_before",
            SecondCall,
            1,
            reply_of_the_request_before,
        )
        .after("https://github.com/redis-rs/redis-rs/issues/489"),
        planted(
            "partial_frame_on_the_wire",
            Check,
            1,
            partial_frame_on_the_wire,
        )
        .after("https://github.com/vm0-ai/vm0/issues/12205"),
        planted(
            "begin_counted_after_its_answer",
            Check,
            1,
            begin_counted_after_its_answer,
        )
        .after("https://github.com/transact-rs/sqlx/issues/4385"),
        planted(
            "query_that_still_runs",
            SecondCall,
            1,
            query_that_still_runs,
        )
        .after("https://github.com/tiberius-rs/tiberius/issues/300"),
        planted(
            "release_that_was_not_sent",
            SecondCall,
            2,
            release_that_was_not_sent,
        )
        .after("https://github.com/blockfrost/blockfrost-platform/pull/183"),
        planted("transaction_left_open", Check, 3, transaction_left_open),
    ]
}

/// A server that answers each byte with its successor, after a while.
async fn successor() -> RefCell<DuplexStream> {
    let (near, mut far) = tokio::io::duplex(64);
    tokio::spawn(async move {
        while let Ok(byte) = far.read_u8().await {
            sleep(ms(5)).await;
            if far.write_u8(byte + 1).await.is_err() {
                break;
            }
        }
    });
    RefCell::new(near)
}

fn reply_of_the_request_before() -> Report {
    let asked = Rc::new(Cell::new(0_u8));
    world(successor).tasks_may_outlive().drop_everywhere(
        #[expect(clippy::await_holding_refcell_ref, reason = "one call at a time")]
        async move |server: &RefCell<DuplexStream>| {
            let byte = asked.get();
            asked.set(byte.wrapping_add(2) % 100);
            let mut server = server.borrow_mut();
            server
                .write_all(&[byte])
                .await
                .map_err(|error| error.to_string())?;
            let reply = server.read_u8().await; // CUT
            let reply = reply.map_err(|error| error.to_string())?;
            if reply == byte + 1 {
                Ok(())
            } else {
                Err(format!("{reply} after {byte}"))
            }
        },
    )
}

struct Frames {
    near: RefCell<DuplexStream>,
    read: RefCell<mpsc::UnboundedReceiver<u8>>,
}

/// A pipe of three bytes to a peer that reads slowly.
async fn frames() -> Frames {
    let (near, mut far) = tokio::io::duplex(3);
    let (sender, read) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok(byte) = far.read_u8().await {
            sleep(ms(1)).await;
            if sender.send(byte).is_err() {
                break;
            }
        }
    });
    Frames {
        near: RefCell::new(near),
        read: RefCell::new(read),
    }
}

fn partial_frame_on_the_wire() -> Report {
    world(frames)
        .settle(secs(1))
        .check(async |frames: &Frames| {
            let mut bytes = Vec::new();
            while let Ok(byte) = frames.read.borrow_mut().try_recv() {
                bytes.push(byte);
            }
            assert!(
                bytes.chunks(6).all(|frame| frame == b"6bytes"),
                "half a frame: {bytes:?}"
            );
        })
        .drop_everywhere(
            #[expect(clippy::await_holding_refcell_ref, reason = "one call at a time")]
            async |frames: &Frames| {
                let mut near = frames.near.borrow_mut();
                near.write_all(b"6bytes").await // CUT
            },
        )
}

/// The server's side of a connection, and what the client believes of it.
#[derive(Default)]
struct Session {
    in_transaction: Cell<bool>,
    depth: Cell<u32>,
}

/// Rolls back when it is dropped, if the client believes that there is a transaction.
struct Rollback<'a>(&'a Session);

impl Drop for Rollback<'_> {
    fn drop(&mut self) {
        if self.0.depth.get() > 0 {
            self.0.depth.set(0);
            self.0.in_transaction.set(false);
        }
    }
}

fn begin_counted_after_its_answer() -> Report {
    world(async || Session::default())
        .check(async |session: &Session| {
            assert!(
                !session.in_transaction.get(),
                "a transaction that nobody ends"
            );
        })
        .drop_everywhere(async |session: &Session| {
            let rollback = Rollback(session);
            session.in_transaction.set(true); // the server has read BEGIN
            sleep(ms(1)).await; // CUT: its answer
            session.depth.set(1);
            sleep(ms(1)).await; // the work: dropped here it is rolled back
            session.in_transaction.set(false);
            session.depth.set(0);
            drop(rollback);
        })
}

fn query_that_still_runs() -> Report {
    world(async || Cell::new(false)).drop_everywhere(async |busy: &Cell<bool>| {
        if busy.replace(true) {
            return Err("the connection still runs the query before");
        }
        sleep(ms(5)).await; // CUT: the time limit strikes, and the server knows nothing of it
        busy.set(false);
        Ok(())
    })
}

/// A connection that must say "release" before it is put back.
struct Client {
    acquired: bool,
}

struct Pooled<'a> {
    client: Option<Client>,
    pool: &'a RefCell<Vec<Client>>,
}

impl Drop for Pooled<'_> {
    fn drop(&mut self) {
        self.pool.borrow_mut().extend(self.client.take());
    }
}

fn release_that_was_not_sent() -> Report {
    world(async || RefCell::new(vec![Client { acquired: false }])).drop_everywhere(
        async |pool: &RefCell<Vec<Client>>| {
            let client = pool.borrow_mut().pop();
            let mut pooled = Pooled { client, pool };
            let client = pooled.client.as_mut().ok_or("no connection")?;
            if client.acquired {
                return Err("acquired already");
            }
            client.acquired = true;
            sleep(ms(1)).await; // CUT: acquire
            sleep(ms(1)).await; // CUT: release
            client.acquired = false;
            Ok(())
        },
    )
}

struct Connection {
    in_transaction: bool,
}

fn transaction_left_open() -> Report {
    world(async || {
        tokio::sync::Mutex::new(Connection {
            in_transaction: false,
        })
    })
    .check(async |connection: &tokio::sync::Mutex<Connection>| {
        assert!(
            !connection.lock().await.in_transaction,
            "an open transaction in the pool"
        );
    })
    .drop_everywhere(async |connection: &tokio::sync::Mutex<Connection>| {
        let mut connection = connection.lock().await;
        connection.in_transaction = true;
        sleep(ms(1)).await; // CUT: BEGIN
        sleep(ms(1)).await; // CUT: INSERT
        sleep(ms(1)).await; // CUT: COMMIT
        connection.in_transaction = false;
    })
}
