//! Many requests through nginx, a tenth of them hung up and some upgraded, while one of two
//! servers is stopped: no good request fails, and nothing is left.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fastrand::Rng;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;

use crate::nginx::Nginx;
use crate::server::Server;

/// How many callers there are at a time.
const CALLERS: u64 = 48;

/// The longest that a good request may take, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(30);

/// How much more memory a server may have at the end than it had after a fifth of the requests.
const GROWTH_KIB: u64 = 4 << 10;

/// How long the work is running that must not be cut by the SIGTERM: less than it takes.
const IN_FLIGHT: Duration = Duration::from_millis(200);

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// What became of the requests.
#[derive(Default)]
struct Counts {
    begun: AtomicU64,
    answered: AtomicU64,
    hung_up: AtomicU64,
    upgraded: AtomicU64,
    failed: AtomicU64,
}

impl Counts {
    fn take(&self, count: &AtomicU64, called: Result<()>) {
        let count = match called {
            Ok(()) => count,
            Err(why) => {
                println!("request failed: {why:?}");
                &self.failed
            }
        };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

pub(crate) async fn run(requests: u64) -> Result<()> {
    let (stopped, kept) = (Server::start().await?, Server::start().await?);
    let nginx = Nginx::start(&[&stopped.url, &kept.url]).await;
    let nginx = nginx.ok_or("nginx is not installed")?;
    let counts = Arc::new(Counts::default());
    let started = Instant::now();

    let mut callers = JoinSet::new();
    for seed in 0..CALLERS {
        let (counts, url) = (Arc::clone(&counts), nginx.url.clone());
        callers.spawn(async move { call_on(&counts, requests, &url, Rng::with_seed(seed)).await });
    }
    let mut after_a_fifth = None;
    for tenth in 1..=9 {
        reached(&counts, requests * tenth / 10).await;
        let resident = [stopped.resident(), kept.resident()];
        println!(
            "{tenth}0 %: {:.0?}, KiB of memory: {resident:?}",
            started.elapsed()
        );
        if tenth == 2 {
            after_a_fifth = kept.resident();
        }
    }
    // In the middle of the load: what it has taken is finished, and the other one takes the rest.
    reached(&counts, requests * 19 / 20).await;
    for _ in 0..CALLERS {
        let (counts, url) = (Arc::clone(&counts), nginx.url.clone());
        callers.spawn(async move {
            let http = reqwest::Client::new();
            let worked = within(get(&http, &url, "/work", "done")).await;
            counts.take(&counts.answered, worked);
        });
    }
    sleep(IN_FLIGHT).await;
    let in_flight = reqwest::get(format!("{}/live", stopped.admin))
        .await?
        .text()
        .await?;
    stopped.terminate().await?;
    let last = stopped.last().await?;
    println!("stopped with {in_flight} in flight: {}", last.report);
    let is_first_clean = last.is_clean;
    while let Some(done) = callers.join_next().await {
        done?;
    }
    let took = started.elapsed();

    drop(nginx);
    kept.nothing_is_left().await?;
    let at_the_end = kept.resident();
    kept.terminate().await?;
    let last = kept.last().await?;
    println!("stopped at the end: {}", last.report);

    let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
    let failed = count(&counts.failed);
    println!(
        "million: {} requests in {took:.0?}: {} answered, {} hung up, {} upgraded, {failed} failed; \
         memory {after_a_fifth:?} KiB after a fifth, {at_the_end:?} KiB at the end",
        count(&counts.answered) + count(&counts.hung_up) + count(&counts.upgraded) + failed,
        count(&counts.answered),
        count(&counts.hung_up),
        count(&counts.upgraded),
    );
    let grew = after_a_fifth
        .zip(at_the_end)
        .is_some_and(|(then, now)| now > then + GROWTH_KIB);
    match (failed, grew) {
        (0, false) if is_first_clean && last.is_clean => Ok(()),
        (0, false) => Err("a server did not stop in order".into()),
        (0, true) => Err("memory grows".into()),
        _ => Err("good requests failed".into()),
    }
}

/// Waits until that many requests have begun.
async fn reached(counts: &Counts, begun: u64) {
    while counts.begun.load(Ordering::Relaxed) < begun {
        sleep(Duration::from_millis(5)).await;
    }
}

/// One caller, for as long as there are requests left.
async fn call_on(counts: &Counts, requests: u64, url: &str, mut rng: Rng) {
    let http = reqwest::Client::new();
    while counts.begun.fetch_add(1, Ordering::Relaxed) < requests {
        let (count, called) = match rng.u32(0..1000) {
            0..100 => (&counts.hung_up, hang_up(url, &mut rng).await),
            100..105 => (&counts.upgraded, within(upgrade(url)).await),
            105 => (
                &counts.answered,
                within(get(&http, url, "/work", "done")).await,
            ),
            106..206 => (
                &counts.answered,
                within(get(&http, url, "/scoped", "12345678")).await,
            ),
            _ => (
                &counts.answered,
                within(get(&http, url, "/hello", "hello")).await,
            ),
        };
        counts.take(count, called);
    }
}

async fn within(call: impl Future<Output = Result<()>>) -> Result<()> {
    timeout(PATIENCE, call).await?
}

async fn get(http: &reqwest::Client, url: &str, path: &str, wanted: &str) -> Result<()> {
    let response = http.get(format!("{url}{path}")).send().await?;
    let text = response.error_for_status()?.text().await?;
    is_wanted(&text, wanted)
}

/// Leaves at any moment between the request and long after it has begun.
async fn hang_up(url: &str, rng: &mut Rng) -> Result<()> {
    let mut stream = TcpStream::connect(url.trim_start_matches("http://")).await?;
    let path = rng
        .choice(["/hang", "/stream", "/work", "/scoped"])
        .unwrap_or("/hang");
    let head = format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    sleep(Duration::from_micros(rng.u64(0..5_000))).await;
    Ok(())
}

/// A WebSocket that says something, and goodbye.
async fn upgrade(url: &str) -> Result<()> {
    let address = url.trim_start_matches("http://");
    let stream = TcpStream::connect(address).await?;
    let (mut socket, _) = client_async(format!("ws://{address}/ws"), stream).await?;
    socket.send(Message::text("echo")).await?;
    let echo = socket.next().await.ok_or("it closed")??;
    is_wanted(echo.to_text()?, "echo")?;
    socket.close(None).await?;
    Ok(())
}

fn is_wanted(text: &str, wanted: &str) -> Result<()> {
    match text == wanted {
        true => Ok(()),
        false => Err(format!("{text:?} in the place of {wanted:?}").into()),
    }
}
