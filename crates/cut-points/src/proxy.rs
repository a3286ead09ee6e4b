//! A proxy on loopback that delays each answer.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// A proxy on loopback between a call and a real server, which makes the steps of the call the same
/// in each run.
///
/// Straight from a server an answer may come before or after the next step of the call, in one
/// piece or in several, so that runs differ in their points. The proxy keeps each answer back for a
/// moment, gathers what else has come by then, and passes it on as a whole: by that time the call
/// has done all that it can do without it.
///
/// It works on threads of its own, so that it adds no steps; they end when it is dropped and its
/// connections are closed.
///
/// ```
/// use std::io::{Read, Write};
/// use std::net::{TcpListener, TcpStream};
/// use std::time::Duration;
///
/// let server = TcpListener::bind("127.0.0.1:0")?;
/// let proxy = cut_points::DelayProxy::start(server.local_addr()?, Duration::from_millis(4))?;
/// let mut client = TcpStream::connect(proxy.address())?;
/// let (mut accepted, _) = server.accept()?;
/// accepted.write_all(b"in two ")?;
/// accepted.write_all(b"pieces")?;
/// let mut answer = [0; 32];
/// let read = client.read(&mut answer)?;
/// assert_eq!(&answer[..read], b"in two pieces");
/// # Ok::<_, std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct DelayProxy {
    address: SocketAddr,
    over: Arc<AtomicBool>,
}

impl DelayProxy {
    /// Listens on a free port of 127.0.0.1 and passes connections on to `server`.
    ///
    /// Four milliseconds are enough between programs on one machine.
    ///
    /// # Errors
    /// If no port can be bound, or if `server` is no address. If the server does not answer,
    /// the connection of the client is closed.
    pub fn start(server: impl ToSocketAddrs, delay: Duration) -> io::Result<DelayProxy> {
        let server = server
            .to_socket_addrs()?
            .next()
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no address of a server"))?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let over = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&over);
        thread::Builder::new()
            .name("delay proxy".to_owned())
            .spawn(move || {
                for client in listener.incoming().flatten() {
                    if seen.load(Ordering::SeqCst) {
                        return;
                    }
                    // A connection that fails is closed, which the client sees for itself.
                    let _ = serve(client, server, delay);
                }
            })?;
        Ok(DelayProxy { address, over })
    }

    /// Where to connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for DelayProxy {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        // Wakes the thread that waits for the next client.
        let _ = TcpStream::connect(self.address);
    }
}

fn serve(client: TcpStream, server: SocketAddr, delay: Duration) -> io::Result<()> {
    let server = TcpStream::connect(server)?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (asks, asked) = (client.try_clone()?, server.try_clone()?);
    thread::Builder::new().spawn(move || pass(asks, asked, Duration::ZERO))?;
    thread::Builder::new().spawn(move || pass(server, client, delay))?;
    Ok(())
}

/// Passes bytes on until either side is gone.
fn pass(mut from: TcpStream, mut to: TcpStream, delay: Duration) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        let mut whole = buffer[..read].to_vec();
        thread::sleep(delay);
        if !delay.is_zero() && gather(&mut from, &mut whole, &mut buffer).is_err() {
            break;
        }
        if to.write_all(&whole).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
    let _ = from.shutdown(Shutdown::Read);
}

/// What has come meanwhile. A time limit and not `set_nonblocking`, which would hold for the
/// thread that writes to the same socket, too.
fn gather(from: &mut TcpStream, whole: &mut Vec<u8>, buffer: &mut [u8]) -> io::Result<()> {
    from.set_read_timeout(Some(Duration::from_millis(1)))?;
    while let Ok(read @ 1..) = from.read(buffer) {
        whole.extend_from_slice(&buffer[..read]);
    }
    from.set_read_timeout(None)
}
