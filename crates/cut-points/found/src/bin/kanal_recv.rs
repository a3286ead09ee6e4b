//! kanal 0.1.1: `AsyncReceiver::recv`, dropped, takes a message with it.

#[tokio::main]
async fn main() {
    let (sender, receiver) = kanal::unbounded_async();
    tokio::select! {
        biased;
        _ = receiver.recv() => {}
        sent = sender.send(7) => sent.expect("open"),
    }
    let received = receiver.try_recv();
    println!("sent one message; received {received:?}");
    assert_eq!(received, Ok(None));
}
