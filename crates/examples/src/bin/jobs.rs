//! Jobs through a message broker: the work of the consumer stops by the deadline of the
//! producer, in another process, and the time in the queue counts.
//!
//! `cargo run -p examples --bin jobs` starts a Redis of its own and a consumer, is the producer
//! itself, and checks what becomes of its jobs. The broker is a stream of Redis: an entry waits
//! there until somebody has time for it, its fields are a map of strings, Debian has the
//! server, and the client is kept.

use std::collections::HashMap;
use std::error::Error;
use std::process::{Child, Command, ExitCode};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::streams::{StreamReadOptions, StreamReadReply};
use redis::{AsyncCommands as _, AsyncConnectionConfig, from_redis_value};
use servers::{Redis, or_skip};
use tokio::time::{Instant, sleep};
use tokio_ctx::tower::ContextLayer;
use tokio_ctx::tower::headers::{Baggage, TraceContext};
use tokio_ctx::tower::propagate::PropagateLayer;
use tokio_ctx::{Cancelled, Context};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// The fields of an entry: what a job is, and what travels with it.
type Fields = HashMap<String, String>;

/// The name that CloudEvents has for the time at which a message is of no use any more.
const EXPIRY: http::HeaderName = http::HeaderName::from_static("ce-expirytime");

/// How long a read waits on the server's side.
const BLOCK: Duration = Duration::from_millis(200);

#[tokio::main]
async fn main() -> ExitCode {
    let ctx = Context::background();
    let args: Vec<String> = std::env::args().skip(1).collect();
    let done = match &args[..] {
        [verb, url] if verb == "consume" => consume(&ctx, url).await,
        _ => {
            let Some(server) = or_skip(Redis::start()) else {
                return ExitCode::SUCCESS;
            };
            produce(&ctx, &server.url()).await
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("jobs: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Takes jobs and does them, each under a context of its own.
async fn consume(ctx: &Context, url: &str) -> Result<()> {
    let worker = ctx.with_cancel();
    let jobs = ContextLayer::new(&worker)
        .without_grpc_timeout()
        .deadline_header(EXPIRY)
        .max_timeout(Duration::from_secs(60))
        .trace_context()
        .key::<Baggage>();
    let mut redis = connect(url).await?;
    let mut last = "0".to_owned();
    loop {
        let Some((id, fields)) = next(&mut redis, "jobs", &last).await? else {
            continue;
        };
        last = id;
        let job = fields.get("job").cloned().unwrap_or_default();
        let ctx = jobs.extract(&fields);
        let began = Instant::now();
        let outcome = match work(&ctx, &job).await {
            Ok(()) => "done".to_owned(),
            Err(why) if began.elapsed() < Duration::from_millis(1) => format!("not begun: {why}"),
            Err(why) => format!("stopped: {why}"),
        };
        let plan = ctx
            .value::<Baggage>()
            .and_then(|baggage| baggage.get("plan"));
        let trace = ctx.value::<TraceContext>().map(ToString::to_string);
        let fields = [
            ("job", job.as_str()),
            ("outcome", &outcome),
            ("plan", plan.unwrap_or_default()),
            ("trace", trace.as_deref().unwrap_or_default()),
        ];
        let _id: Option<String> = redis.xadd("outcomes", "*", &fields).await?;
    }
}

/// A job is called by how long it takes.
async fn work(ctx: &Context, job: &str) -> std::result::Result<(), Cancelled> {
    let takes = Duration::from_millis(job.parse().unwrap_or(0));
    ctx.run(sleep(takes)).await
}

/// Sends three jobs, and checks what becomes of each.
async fn produce(ctx: &Context, url: &str) -> Result<()> {
    let jobs = PropagateLayer::new()
        // What is left would not count the time in the queue; the time itself does.
        .without_grpc_timeout()
        .deadline_header(EXPIRY)
        .trace_context()
        .key::<Baggage>();
    let baggage = Baggage::default()
        .with("plan", "gold")
        .ok_or("no name for a member")?;
    let trace = TraceContext::random(true);
    let ctx = ctx
        .with_value::<Baggage>(baggage)
        .with_value::<TraceContext>(trace.clone());
    let mut redis = connect(url).await?;

    // Nobody is there yet, and this one cannot wait for long.
    let late = ctx.with_timeout(Duration::from_millis(100));
    send(&late, &jobs, &mut redis, "1").await?;
    ctx.run(sleep(Duration::from_millis(200))).await?;
    let _consumer = Consumer::start(url)?;
    let seen = outcome(&mut redis, "0").await?;
    check("a job that expired in the queue", &seen.1, "not begun: ")?;

    let quick = ctx.with_timeout(Duration::from_secs(20));
    send(&quick, &jobs, &mut redis, "10").await?;
    let seen = outcome(&mut redis, &seen.0).await?;
    check("a job with time enough", &seen.1, "done")?;
    check_field("its baggage", &seen.1, "plan", "gold")?;
    check_field("its trace", &seen.1, "trace", &trace.to_string())?;

    let slow = ctx.with_timeout(Duration::from_millis(500));
    let sent = Instant::now();
    send(&slow, &jobs, &mut redis, "60000").await?;
    let seen = outcome(&mut redis, &seen.0).await?;
    check("a job that takes a minute", &seen.1, "stopped: ")?;
    println!(
        "it was stopped {} ms after it was sent",
        sent.elapsed().as_millis()
    );
    println!("jobs: 3 of 3 as promised");
    Ok(())
}

async fn send(
    ctx: &Context,
    jobs: &PropagateLayer,
    redis: &mut MultiplexedConnection,
    job: &str,
) -> Result<()> {
    let mut fields = Fields::from([("job".to_owned(), job.to_owned())]);
    let ctx = jobs.inject(ctx, &mut fields)?;
    let fields: Vec<_> = fields.into_iter().collect();
    let _id: Option<String> = ctx.run(redis.xadd("jobs", "*", &fields)).await??;
    Ok(())
}

async fn connect(url: &str) -> Result<MultiplexedConnection> {
    // A read may wait for as long as it says itself.
    let config = AsyncConnectionConfig::new().set_response_timeout(None);
    let client = redis::Client::open(url)?;
    Ok(client
        .get_multiplexed_async_connection_with_config(&config)
        .await?)
}

/// The next entry after `last`, if there is one soon.
async fn next(
    redis: &mut MultiplexedConnection,
    stream: &str,
    last: &str,
) -> Result<Option<(String, Fields)>> {
    let options = StreamReadOptions::default()
        .block(BLOCK.as_millis() as usize)
        .count(1);
    let reply: Option<StreamReadReply> = redis.xread_options(&[stream], &[last], &options).await?;
    let entries = reply
        .into_iter()
        .flat_map(|reply| reply.keys)
        .flat_map(|key| key.ids);
    let Some(entry) = entries.into_iter().next() else {
        return Ok(None);
    };
    let mut fields = Fields::new();
    for (name, value) in entry.map {
        fields.insert(name, from_redis_value(value)?);
    }
    Ok(Some((entry.id, fields)))
}

/// What became of the job after `last`.
async fn outcome(redis: &mut MultiplexedConnection, last: &str) -> Result<(String, Fields)> {
    for _ in 0..100 {
        if let Some(entry) = next(redis, "outcomes", last).await? {
            return Ok(entry);
        }
    }
    Err("the consumer says nothing".into())
}

fn check(what: &str, fields: &Fields, wanted: &str) -> Result<()> {
    check_field(what, fields, "outcome", wanted)
}

fn check_field(what: &str, fields: &Fields, name: &str, wanted: &str) -> Result<()> {
    let text = fields.get(name).map_or("", String::as_str);
    println!("{what}: {text}");
    match text.starts_with(wanted) {
        true => Ok(()),
        false => Err(format!("{what}: {text:?} in the place of {wanted:?}").into()),
    }
}

/// The other process.
struct Consumer(Child);

impl Consumer {
    fn start(url: &str) -> Result<Consumer> {
        let child = Command::new(std::env::current_exe()?)
            .args(["consume", url])
            .spawn()?;
        Ok(Consumer(child))
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
