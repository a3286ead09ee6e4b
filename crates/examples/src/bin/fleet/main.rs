//! Three processes, one request: `cargo run -p examples --bin fleet`.
//!
//! An edge on axum calls a catalog on tonic, which calls a pricing on tonic. Each works for the
//! request while it waits for the next. Clients with deadlines, and one that hangs up, show
//! that what happens at the edge stops the work three processes away.

mod client;
mod process;
mod wire;

use std::process::ExitCode;
use std::time::Duration;

use examples::client::Answer;
use examples::timeline::millis;
use tokio_ctx::Context;

use self::client::{ask, what_runs};
use self::wire::{Event, Fleet, Micros, What, now};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The first digits of the id of the clients' trace.
const TRACE: &str = "facade00";

/// How long work may go on after its client went away, or after its deadline.
const BOUND: Duration = Duration::from_millis(50);

/// What else runs on the machine can only add to what is measured, so one of three has to be
/// good.
const TRIES: usize = 3;

/// The edge's maximum.
const LONGEST: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let Ok(runtime) = runtime.worker_threads(2).enable_all().build() else {
        eprintln!("fleet: no runtime");
        return ExitCode::FAILURE;
    };
    let ctx = Context::background();
    let outcome = match arguments[..] {
        [] => runtime.block_on(play()),
        ["edge", next] => runtime.block_on(process::run(&ctx, "edge", Some(next))),
        ["catalog", next] => runtime.block_on(process::run(&ctx, "catalog", Some(next))),
        ["pricing"] => runtime.block_on(process::run(&ctx, "pricing", None)),
        _ => Err("usage: cargo run -p examples --bin fleet".into()),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("fleet: {error}");
        ExitCode::FAILURE
    })
}

/// The promises, and whether they were kept.
#[derive(Default)]
struct Judge {
    promised: usize,
    broken: usize,
}

impl Judge {
    fn that(&mut self, kept: bool, promise: &str) {
        self.promised += 1;
        self.broken += usize::from(!kept);
        println!("{:>12}  {promise}", if kept { "ok" } else { "BROKEN" });
    }
}

fn act(number: u32, title: &str) {
    println!("\nAct {number}: {title}");
}

/// Prints what somebody saw, and how long into the act.
fn line(after: Duration, who: &str, what: &str) {
    println!("{:>9} ms  {who:<7}  {what}", after.as_millis());
}

fn shown(Answer { status, body }: &Answer) -> String {
    format!("{status} {body}")
}

/// Prints what the processes saw since `start`.
fn tell(events: &[Event], start: Micros, hung_up: Option<Micros>) {
    for Event {
        process,
        at,
        trace,
        what,
        ..
    } in events
    {
        let what = match what {
            What::Received { left: Some(left) } => format!("{} left", millis(*left)),
            What::Received { left: None } => "no deadline".to_owned(),
            What::Finished => "finished".to_owned(),
            What::Stopped { why } => match hung_up.map(|moment| millis(at.since(moment))) {
                Some(after) => format!("stopped {after} after the hang-up: {why}"),
                None => format!("stopped: {why}"),
            },
        };
        line(at.since(start), process, &format!("trace {trace}: {what}"));
    }
}

async fn play() -> Result<ExitCode, Failure> {
    println!("Three processes: edge (axum) calls catalog (tonic) calls pricing (tonic).");
    let mut judge = Judge::default();
    let mut fleet = Fleet::start().await?;
    patient_client(&mut fleet, &mut judge).await?;
    short_deadline(&mut fleet, &mut judge).await?;
    hang_up(&mut fleet, &mut judge).await?;
    nobody_is_trusted(&mut fleet, &mut judge).await?;
    shutdown(fleet, &mut judge).await?;
    let Judge { promised, broken } = judge;
    println!("\nfleet: {} of {promised} as promised", promised - broken);
    Ok(if broken == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The time that each of the three was left.
fn lefts(events: &[Event]) -> Vec<Duration> {
    let left = |event: &Event| match event.what {
        What::Received { left } => left,
        _ => None,
    };
    events.iter().filter_map(left).collect()
}

fn stopped(events: &[Event]) -> impl Iterator<Item = &Event> {
    events
        .iter()
        .filter(|event| matches!(event.what, What::Stopped { .. }))
}

async fn patient_client(fleet: &mut Fleet, judge: &mut Judge) -> Result<(), Failure> {
    act(
        1,
        "a client that has five seconds for a tenth of one of work",
    );
    let start = now();
    let call = ask(fleet.edge, TRACE, 100, &[("grpc-timeout", "5S")]).await?;
    let answer = call.answer().await?;
    let events = fleet.events(6).await?;
    tell(&events, start, None);
    line(now().since(start), "client", &shown(&answer));
    judge.that(answer.status == 200, "the answer is 200");
    judge.that(
        events.iter().all(|event| event.trace == TRACE),
        "all three saw the trace of the client",
    );
    let lefts = lefts(&events);
    let falling = lefts.len() == 3 && lefts.is_sorted_by(|one, next| one > next);
    let falling =
        falling && lefts[0] <= Duration::from_secs(5) && lefts[2] > Duration::from_secs(3);
    judge.that(falling, "each had less time left than the one before");
    judge.that(
        stopped(&events).next().is_none(),
        "all three finished their work",
    );
    Ok(())
}

async fn short_deadline(fleet: &mut Fleet, judge: &mut Judge) -> Result<(), Failure> {
    act(2, "a client that has 500 ms for ten seconds of work");
    let deadline = Duration::from_millis(500);
    let (mut in_time, mut answer) = (false, None);
    for _ in 0..TRIES {
        let start = now();
        let call = ask(fleet.edge, TRACE, 10_000, &[("grpc-timeout", "500m")]).await?;
        let got = call.answer().await?;
        let took = now().since(start);
        let events = fleet.events(6).await?;
        tell(&events, start, None);
        line(took, "client", &shown(&got));
        let ends = stopped(&events).map(|event| event.at.since(start));
        in_time = ends.max().is_some_and(|last| last <= deadline + BOUND)
            && stopped(&events).count() == 3
            && took <= deadline + BOUND;
        answer = Some(got);
        if in_time {
            break;
        }
    }
    let answer = answer.ok_or("no try")?;
    let is_504 = answer.status == 504 && answer.body.contains("deadline_exceeded");
    judge.that(is_504, "the answer is 504, and says deadline_exceeded");
    judge.that(
        in_time,
        "all three stopped, and the answer came, within 50 ms of the deadline",
    );
    Ok(())
}

async fn hang_up(fleet: &mut Fleet, judge: &mut Judge) -> Result<(), Failure> {
    act(3, "a client that hangs up on ten seconds of work");
    let (mut in_time, mut callers_gone, mut listed) = (false, false, 0);
    for _ in 0..TRIES {
        let start = now();
        let call = ask(fleet.edge, TRACE, 10_000, &[("grpc-timeout", "9S")]).await?;
        let mut events = fleet.events(3).await?;
        listed = 0;
        for view in &fleet.views {
            let text = what_runs(*view).await?;
            listed += usize::from(text.contains("IN FLIGHT (1)") && text.contains(" left"));
        }
        let hung_up = now();
        drop(call);
        events.extend(fleet.events(3).await?);
        tell(&events, start, Some(hung_up));
        in_time = stopped(&events).count() == 3
            && stopped(&events).all(|event| event.at.since(hung_up) <= BOUND);
        callers_gone = stopped(&events).all(|event| match &event.what {
            What::Stopped { why } => why.contains("caller went away"),
            _ => false,
        });
        if in_time {
            break;
        }
    }
    judge.that(
        listed == 3,
        "until then the view of each showed the request, and what it had left",
    );
    judge.that(in_time, "all three stopped within 50 ms of the hang-up");
    judge.that(callers_gone, "each knew that its caller went away");
    Ok(())
}

async fn nobody_is_trusted(fleet: &mut Fleet, judge: &mut Judge) -> Result<(), Failure> {
    act(
        4,
        "a client that asks for an hour and says that it is an administrator",
    );
    let start = now();
    let headers = [
        ("grpc-timeout", "1H"),
        ("x-admin", "yes"),
        ("baggage", "not a list"),
    ];
    let answer = ask(fleet.edge, TRACE, 20, &headers).await?.answer().await?;
    let events = fleet.events(6).await?;
    tell(&events, start, None);
    line(now().since(start), "client", &shown(&answer));
    let lefts = lefts(&events);
    let clamped = lefts.len() == 3 && lefts.iter().all(|left| *left <= LONGEST);
    judge.that(answer.status == 200, "the answer is 200");
    judge.that(clamped, "no process was given more than ten seconds");
    judge.that(
        events.iter().all(|event| !event.is_admin),
        "no process took it at its word",
    );
    Ok(())
}

async fn shutdown(mut fleet: Fleet, judge: &mut Judge) -> Result<(), Failure> {
    act(5, "the edge is asked to stop while it works");
    let start = now();
    let call = ask(fleet.edge, TRACE, 10_000, &[("grpc-timeout", "9S")]).await?;
    let mut events = fleet.events(3).await?;
    fleet.stop_edge();
    let answer = call.answer().await?;
    events.extend(fleet.events(3).await?);
    tell(&events, start, None);
    line(now().since(start), "client", &shown(&answer));
    let is_503 = answer.status == 503 && answer.body.contains("shutting_down");
    judge.that(is_503, "the answer is 503, and says shutting_down");
    judge.that(
        stopped(&events).count() == 3,
        "the work of all three was stopped",
    );
    let ends = fleet.stop().await?;
    for (process, end) in &ends {
        line(now().since(start), process, end);
    }
    let clean = ends.len() == 3 && ends.iter().all(|(_, end)| end == "nothing left, exit 0");
    judge.that(clean, "all three ended with nothing left");
    Ok(())
}
