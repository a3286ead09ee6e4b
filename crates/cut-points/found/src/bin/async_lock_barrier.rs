//! async-lock 3.5.0: a `Barrier` counts a waiter that gave up.

use std::time::Duration;

use async_lock::Barrier;

#[tokio::main]
async fn main() {
    let barrier = Barrier::new(2);
    tokio::select! {
        biased;
        _ = barrier.wait() => {}
        () = std::future::ready(()) => {}
    }
    let alone = tokio::time::timeout(Duration::from_millis(500), barrier.wait()).await;
    println!("let through alone: {}", alone.is_ok());
    assert!(alone.is_ok());
}
