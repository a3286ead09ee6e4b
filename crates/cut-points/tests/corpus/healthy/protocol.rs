//! Connections that can be used after any cut.

use std::cell::{Cell, RefCell};

use cut_points::{Report, world};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::{Mutex, mpsc};
use tokio::time::sleep;

use crate::{Healthy, ms, secs};

pub(super) fn programs() -> Vec<Healthy> {
    vec![
        Healthy {
            name: "reply_with_a_number",
            run: reply_with_a_number,
        },
        Healthy {
            name: "connection_that_is_not_put_back",
            run: connection_that_is_not_put_back,
        },
        Healthy {
            name: "frame_handed_to_a_writer",
            run: frame_handed_to_a_writer,
        },
        Healthy {
            name: "begin_counted_first",
            run: begin_counted_first,
        },
        Healthy {
            name: "rolled_back_at_the_next_use",
            run: rolled_back_at_the_next_use,
        },
        Healthy {
            name: "write_all_on_a_stream_of_its_own",
            run: write_all_on_a_stream_of_its_own,
        },
    ]
}

/// A server that answers each byte with the byte and its successor, after a while.
fn successor() -> DuplexStream {
    let (near, mut far) = tokio::io::duplex(64);
    tokio::spawn(async move {
        while let Ok(byte) = far.read_u8().await {
            sleep(ms(5)).await;
            if far.write_all(&[byte, byte + 1]).await.is_err() {
                break;
            }
        }
    });
    near
}

/// Replies to requests that were given up are known by their number, and skipped.
fn reply_with_a_number() -> Report {
    struct Client {
        stream: DuplexStream,
        number: u8,
        half: Vec<u8>,
    }
    let client = async || {
        Mutex::new(Client {
            stream: successor(),
            number: 0,
            half: Vec::new(),
        })
    };
    world(client)
        .settle(secs(1))
        .drop_everywhere(async |client: &Mutex<Client>| {
            let client = &mut *client.lock().await;
            client.number += 2;
            client
                .stream
                .write_all(&[client.number])
                .await
                .map_err(|error| error.to_string())?;
            loop {
                while client.half.len() < 2 {
                    let read = client.stream.read_buf(&mut client.half).await;
                    read.map_err(|error| error.to_string())?;
                }
                let reply: Vec<u8> = client.half.drain(..2).collect();
                if reply[0] == client.number {
                    return if reply[1] == reply[0] + 1 {
                        Ok(())
                    } else {
                        Err("no successor".to_owned())
                    };
                }
            }
        })
}

/// Taken out of the pool for good, until the reply was read.
fn connection_that_is_not_put_back() -> Report {
    type Pool = RefCell<Option<DuplexStream>>;
    let pool = async || Pool::new(Some(successor()));
    world(pool)
        .settle(secs(1))
        .drop_everywhere(async |pool: &Pool| {
            let idle = pool.borrow_mut().take();
            let mut stream = idle.unwrap_or_else(successor);
            stream
                .write_all(&[7])
                .await
                .map_err(|error| error.to_string())?;
            let mut reply = [0; 2];
            stream
                .read_exact(&mut reply)
                .await
                .map_err(|error| error.to_string())?;
            *pool.borrow_mut() = Some(stream);
            if reply == [7, 8] {
                Ok(())
            } else {
                Err(format!("{reply:?}"))
            }
        })
}

struct Writer {
    frames: mpsc::UnboundedSender<&'static [u8]>,
    read: RefCell<mpsc::UnboundedReceiver<u8>>,
}

/// One task owns the stream and writes whole frames.
async fn writer() -> Writer {
    let (mut near, mut far) = tokio::io::duplex(3);
    let (frames, mut queue) = mpsc::unbounded_channel::<&'static [u8]>();
    tokio::spawn(async move {
        while let Some(frame) = queue.recv().await {
            near.write_all(frame).await.expect("the peer reads");
        }
    });
    let (sender, read) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok(byte) = far.read_u8().await {
            sleep(ms(1)).await;
            if sender.send(byte).is_err() {
                break;
            }
        }
    });
    Writer {
        frames,
        read: RefCell::new(read),
    }
}

fn frame_handed_to_a_writer() -> Report {
    world(writer)
        .settle(secs(1))
        .check(async |writer: &Writer| {
            let mut bytes = Vec::new();
            while let Ok(byte) = writer.read.borrow_mut().try_recv() {
                bytes.push(byte);
            }
            assert!(
                bytes.chunks(6).all(|frame| frame == b"6bytes"),
                "half a frame: {bytes:?}"
            );
        })
        .drop_everywhere(async |writer: &Writer| {
            writer
                .frames
                .send(b"6bytes")
                .map_err(|error| error.to_string())?;
            sleep(ms(2)).await;
            writer
                .frames
                .send(b"6bytes")
                .map_err(|error| error.to_string())
        })
}

#[derive(Default)]
struct Session {
    in_transaction: Cell<bool>,
    depth: Cell<u32>,
}

struct Rollback<'a>(&'a Session);

impl Drop for Rollback<'_> {
    fn drop(&mut self) {
        if self.0.depth.replace(0) > 0 {
            self.0.in_transaction.set(false);
        }
    }
}

fn begin_counted_first() -> Report {
    world(async || Session::default())
        .check(async |session: &Session| {
            assert!(
                !session.in_transaction.get(),
                "a transaction that nobody ends"
            );
        })
        .drop_everywhere(async |session: &Session| {
            let rollback = Rollback(session);
            session.depth.set(1);
            session.in_transaction.set(true);
            sleep(ms(1)).await; // the answer to BEGIN
            sleep(ms(1)).await; // the work
            session.depth.set(0);
            session.in_transaction.set(false);
            drop(rollback);
        })
}

/// Nothing can be sent from a destructor, so the next user sends what the last one owes.
fn rolled_back_at_the_next_use() -> Report {
    struct Connection {
        owes_rollback: bool,
        rows: Vec<u32>,
        uncommitted: Vec<u32>,
    }
    let connection = async || {
        Mutex::new(Connection {
            owes_rollback: false,
            rows: Vec::new(),
            uncommitted: Vec::new(),
        })
    };
    world(connection)
        .check(async |connection: &Mutex<Connection>| {
            let connection = connection.lock().await;
            assert!(connection.rows.iter().all(|row| *row == 1));
            assert!(connection.owes_rollback || connection.uncommitted.is_empty());
        })
        .drop_everywhere(async |connection: &Mutex<Connection>| {
            let mut connection = connection.lock().await;
            if connection.owes_rollback {
                sleep(ms(1)).await;
                connection.uncommitted.clear();
            }
            connection.owes_rollback = true;
            sleep(ms(1)).await;
            connection.uncommitted.push(1);
            sleep(ms(1)).await;
            let rows = std::mem::take(&mut connection.uncommitted);
            connection.rows.extend(rows);
            connection.owes_rollback = false;
        })
}

/// `write_all` is not cancel safe, which harms nobody whose stream goes with the call.
fn write_all_on_a_stream_of_its_own() -> Report {
    world(async || ())
        .settle(secs(1))
        .drop_everywhere(async |(): &()| {
            let (mut near, mut far) = tokio::io::duplex(2);
            let write = async {
                near.write_all(b"a long frame").await?;
                near.shutdown().await
            };
            let mut read = Vec::new();
            let (written, whole) = tokio::join!(biased; write, far.read_to_end(&mut read));
            written.and(whole).map_err(|error| error.to_string())?;
            if read == b"a long frame" {
                Ok(())
            } else {
                Err(format!("{read:?}"))
            }
        })
}
