//! Real time, and real sockets through the proxy.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use cut_points::{DelayProxy, world};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A server on threads that answers each byte with three, one write for each.
fn server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a client");
            stream.set_nodelay(true).expect("a socket");
            std::thread::spawn(move || {
                let mut byte = [0];
                while let Ok(1) = stream.read(&mut byte) {
                    for _ in 0..3 {
                        if stream.write_all(&byte).is_err() {
                            return;
                        }
                    }
                }
            });
        }
    });
    address
}

#[test]
fn a_call_over_a_socket_has_the_same_points_each_time_behind_the_proxy() {
    let server = server();
    let proxy = DelayProxy::start(server, Duration::from_millis(4)).expect("a proxy");
    let address = proxy.address();
    let points = || {
        let report = world(async || ())
            .real_time()
            .drop_everywhere(async move |(): &()| {
                let mut stream = TcpStream::connect(address).await?;
                for byte in 0..3 {
                    stream.write_all(&[byte]).await?;
                    let mut answer = [0; 3];
                    stream.read_exact(&mut answer).await?;
                    assert_eq!(answer, [byte; 3]);
                }
                Ok::<_, std::io::Error>(())
            });
        report.assert_ok();
        report.points()
    };
    let first = points();
    assert!(first >= 4);
    assert_eq!(points(), first);
}

#[test]
fn in_real_time_a_time_limit_waits_for_an_answer() {
    let server = server();
    let call = async move |(): &()| {
        let exchange = async {
            let mut stream = TcpStream::connect(server).await?;
            stream.write_all(b"a").await?;
            stream.read_exact(&mut [0; 3]).await.map(drop)
        };
        let answered = tokio::time::timeout(Duration::from_secs(5), exchange).await;
        answered
            .map_err(|error| error.to_string())?
            .map_err(|error| error.to_string())
    };
    world(async || ())
        .real_time()
        .drop_everywhere(call)
        .assert_ok();
    // A paused clock needs a word about the world outside.
    world(async || ())
        .quiet(Duration::from_millis(15))
        .drop_everywhere(call)
        .assert_ok();
}

#[test]
fn a_proxy_that_is_dropped_takes_no_more_clients() {
    let proxy = DelayProxy::start(server(), Duration::ZERO).expect("a proxy");
    let address = proxy.address();
    drop(proxy);
    let closed = (0..500).any(|_| {
        std::thread::sleep(Duration::from_millis(2));
        std::net::TcpStream::connect(address).is_err()
    });
    assert!(closed, "the port is still open");
}
