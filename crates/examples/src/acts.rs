//! The seven acts: seven ways for a request to end, each played over a socket and checked.

mod stage;

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::sleep;
use tokio_ctx::{Context, Reason};

use self::stage::{Broken, Judgement, Stage, ensure, num_tasks, prompt, tasks_above};
use crate::client::Call;
use crate::db::Databases;
use crate::journal::{Entry, Outcome};
use crate::server::Server;
use crate::timeline::{Timeline, millis};

/// What a query takes at least, so that stopping it early means something.
const WORTH_STOPPING: Duration = Duration::from_millis(300);

/// When the impatient client has had enough; half of what a query takes at least.
const IMPATIENCE: Duration = Duration::from_millis(150);

/// Plays the seven acts against a server under `ctx`, which the last one stops; returns what
/// was not as promised, one line for each such act.
///
/// # Errors
///
/// Those of the server's socket.
///
/// # Cancel safety
///
/// Dropping the future stops the server, and with it whatever the act had started.
///
/// # Examples
///
/// ```no_run
/// # use examples::{acts, db::Databases, timeline::Timeline};
/// # use std::sync::Arc;
/// # async fn example(databases: Arc<Databases>) -> std::io::Result<()> {
/// let ctx = tokio_ctx::Context::background().with_signals()?;
/// let broken = acts::play(&ctx, &databases, &Timeline::stdout()).await?;
/// assert_eq!(broken, Vec::<String>::new());
/// # Ok(()) }
/// ```
pub async fn play(
    ctx: &Context,
    databases: &Arc<Databases>,
    timeline: &Timeline,
) -> io::Result<Vec<String>> {
    let tasks_before = num_tasks();
    let server = Server::start(ctx, Arc::clone(databases)).await?;
    let stage = Stage::new(&server, timeline);
    let damaged = async |stage: &Stage<'_>| failing_database(stage, databases).await;
    let judged = [
        stage
            .act(1, "a patient client gets the merged report", patient_client)
            .await,
        stage
            .act(
                2,
                "an impatient client closes its socket mid-query",
                impatient_client,
            )
            .await,
        stage
            .act(
                3,
                "a client with a deadline gets 504 when it passes",
                deadline,
            )
            .await,
        stage
            .act(
                4,
                "one database fails: the other two are cancelled",
                damaged,
            )
            .await,
        stage
            .act(
                5,
                "a task panics: the server answers 500 and goes on",
                panicking_task,
            )
            .await,
        stage
            .act(
                6,
                "a job outlives its response and keeps the trace id",
                export,
            )
            .await,
    ];
    let last = stage.begin(7, "the server shuts down under a request and a job");
    let last = stage.judge(7, shutdown(&last, server, tasks_before).await);
    Ok(judged.into_iter().flatten().chain(last).collect())
}

async fn patient_client(stage: &Stage<'_>) -> Judgement {
    let call = stage.request("GET /report", &[]).await?;
    let answer = stage.answer(call, 200).await?;
    let entries = stage.ended(3).await?;

    let merged = &answer.json()["busiest"];
    for part in ["sign_ups", "order_cents", "fee_cents"] {
        ensure!(merged[part].as_u64() > Some(0), "the report lacks {part}");
    }
    let mut took: Vec<Duration> = entries.iter().map(Entry::took).collect();
    took.sort();
    ensure!(
        took[0] > WORTH_STOPPING,
        "a query took only {}",
        millis(took[0])
    );
    let (fastest, slowest) = (millis(took[0]), millis(took[2]));
    Ok(format!(
        "one answer from three databases; the queries took {fastest} to {slowest}"
    ))
}

async fn impatient_client(stage: &Stage<'_>) -> Judgement {
    let call = stage.request("GET /report", &[]).await?;
    stage.running(3).await?;
    sleep(IMPATIENCE).await;
    stage.tell("client", "closes its socket");
    let closed = call.hang_up();

    let entries = stage.ended(3).await?;
    stage.why(
        &entries,
        3,
        "the client, by closing its socket",
        Reason::CallerGone,
    )?;
    prompt(&entries, closed, "the close")
}

async fn deadline(stage: &Stage<'_>) -> Judgement {
    let call = stage
        .request("GET /report", &[("x-timeout-ms", "200")])
        .await?;
    stage.answer(call, 504).await?;
    let entries = stage.ended(3).await?;

    stage.why(
        &entries,
        3,
        "the deadline that the client asked for",
        Reason::Deadline,
    )?;
    let passed = entries[0]
        .deadline
        .ok_or("the queries knew of no deadline")?;
    prompt(&entries, passed, "the deadline")
}

async fn failing_database(stage: &Stage<'_>, databases: &Databases) -> Judgement {
    databases.payments.set_damaged(true)?;
    stage.tell("demo", "damages one row of payments.db");
    let call = stage.request("GET /report", &[]).await?;
    let answer = stage.answer(call, 500).await?;
    let entries = stage.ended(3).await?;
    databases.payments.set_damaged(false)?;

    let who = "the payments query, by its failure";
    let cancelled = stage.why(&entries, 2, who, Reason::TaskFailed)?.to_string();
    ensure!(
        cancelled.contains("malformed JSON"),
        "no cause is named: {cancelled}"
    );
    let named = answer.body.contains("payments database: malformed JSON");
    ensure!(named, "the answer names no cause: {}", answer.body);
    let failed = end_of(&entries, |outcome| matches!(outcome, Outcome::Failed(_)));
    prompt(&entries, failed.ok_or("no query failed")?, "the failure")
}

async fn panicking_task(stage: &Stage<'_>) -> Judgement {
    let call = stage.request("GET /report?bug", &[]).await?;
    stage.answer(call, 500).await?;
    let entries = stage.ended(3).await?;

    stage.why(
        &entries,
        2,
        "the orders query, by its panic",
        Reason::TaskPanicked,
    )?;
    let panicked = end_of(&entries, |outcome| matches!(outcome, Outcome::Panicked));
    let kept = prompt(&entries, panicked.ok_or("no query panicked")?, "the panic")?;
    stage.check_serves().await?;
    Ok(kept)
}

async fn export(stage: &Stage<'_>) -> Judgement {
    let call = stage.request("POST /exports", &[]).await?;
    stage.answer(call, 202).await?;
    let answered = Instant::now();

    let entries = stage.ended(1).await?;
    let finished = end_of(&entries, |outcome| matches!(outcome, Outcome::Finished));
    let finished = finished.ok_or("the job did not finish")?;
    ensure!(finished > answered, "the job ended before the response");
    let after = millis(finished - answered);
    Ok(format!(
        "the job finished {after} after its response, under the same trace id"
    ))
}

async fn shutdown(stage: &Stage<'_>, server: Server, tasks_before: usize) -> Judgement {
    let job = stage.request("POST /exports", &[]).await?;
    stage.answer(job, 202).await?;
    let call = stage.request("GET /report", &[]).await?;
    stage.running(4).await?;
    sleep(IMPATIENCE).await;

    stage.tell("demo", "asks the server to shut down");
    let address = server.address();
    let shutdown = server.shutdown(Reason::Shutdown).await;
    stage.answer(call, 503).await?;
    let entries: Vec<Entry> = shutdown
        .waited_for
        .iter()
        .map(|(entry, _)| entry.clone())
        .collect();
    stage.why(&entries, 4, "the server, by its shutdown", Reason::Shutdown)?;
    let list = shutdown
        .waited_for
        .iter()
        .map(|(entry, t)| format!("{} {}", entry.work, millis(*t)));
    stage.note("waited", &list.collect::<Vec<_>>().join(", "));

    let problem = shutdown.problem;
    ensure!(problem.is_none(), "not in order: {problem:?}");
    let outlived = tasks_above(tasks_before).await;
    ensure!(outlived == 0, "{outlived} tasks outlive the server");
    stage.check_none_running()?;
    ensure!(
        Call::send(address, "GET /", &[]).await.is_err(),
        "the port is still open"
    );
    let took = millis(shutdown.took);
    Ok(format!(
        "stopped in order after {took}; no task, no query, no open port is left"
    ))
}

fn end_of(entries: &[Entry], condition: impl Fn(&Outcome) -> bool) -> Option<Instant> {
    let mut ends = entries.iter().filter_map(|entry| entry.ended.as_ref());
    ends.find(|(_, outcome)| condition(outcome))
        .map(|(at, _)| *at)
}
