//! The demo: `cargo run -p examples`, or `-- --serve` to keep the service running.

use std::panic;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use examples::acts;
use examples::db::{Databases, ROWS};
use examples::server::Server;
use examples::timeline::{Timeline, millis};
use examples::trace::LogLayer;
use tokio::net::TcpListener;
use tokio_ctx::Context;
use tokio_ctx::tower::serve;
use tokio_ctx::view::View;
use tracing_subscriber::layer::SubscriberExt as _;

const USAGE: &str = "usage: cargo run -p examples [-- --serve [--view ADDRESS]]

  without arguments  play seven acts against the service and check each
  --serve            keep serving, until Ctrl-C or SIGTERM
  --view ADDRESS     where the page with what runs is; a free port of loopback unless given";

type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments[..] {
        [] => run(None),
        ["--serve"] => run(Some("127.0.0.1:0")),
        ["--serve", "--view", address] => run(Some(address)),
        ["--help" | "-h"] => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("demo: {error}");
        ExitCode::FAILURE
    })
}

/// With the address of a view, serves; without one, plays.
fn run(serve: Option<&str>) -> Result<ExitCode, Failure> {
    let timeline = Arc::new(Timeline::stdout());
    let log = tracing_subscriber::registry().with(LogLayer::new(Arc::clone(&timeline)));
    tracing::subscriber::set_global_default(log)?;
    // A panic is a log line like any other, with the trace id of the request it happened in.
    panic::set_hook(Box::new(|panicked| {
        let place = panicked
            .location()
            .map(|at| format!(" at {}:{}", at.file(), at.line()));
        let message = panicked.payload_as_str().unwrap_or("without a message");
        tracing::error!("panicked{}: {message}", place.unwrap_or_default());
    }));

    // Removed on every way out of here, a failure, Ctrl-C and SIGTERM included.
    let folder = tempfile::Builder::new()
        .prefix("tokio-ctx-demo-")
        .tempdir()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let broken = runtime.block_on(async {
        // ctx-lint: allow(background-outside-root) the root of the process
        let root = Context::background().with_signals()?;
        if let Some(view) = serve {
            return serve_until_asked(&root, folder.path(), view, &timeline).await;
        }
        let broken = root.run(play(&root, folder.path(), &timeline)).await??;
        // Acts that a signal has broken say nothing.
        root.check()?;
        Ok::<_, Failure>(broken)
    });
    drop(runtime);
    folder.close()?;

    let broken = broken?;
    for promise in &broken {
        timeline.say(&format!("broken: {promise}"));
    }
    if serve.is_none() {
        timeline.say(&format!("demo: {} of 7 acts as promised", 7 - broken.len()));
    }
    Ok(if broken.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Plays the acts; returns the promises that were broken.
async fn play(root: &Context, folder: &Path, timeline: &Timeline) -> Result<Vec<String>, Failure> {
    let databases = prepare(folder, timeline)?;
    let broken = acts::play(root, &databases, timeline).await?;
    timeline.say("");
    Ok(broken)
}

async fn serve_until_asked(
    root: &Context,
    folder: &Path,
    view: &str,
    timeline: &Timeline,
) -> Result<Vec<String>, Failure> {
    let databases = prepare(folder, timeline)?;
    let server = Server::start(root, databases).await?;
    // What runs is nobody's business outside: on a port of its own, on loopback.
    let listener = TcpListener::bind(view).await?;
    let view = format!("http://{}/debug/ctx", listener.local_addr()?);
    let page = Router::new().route_service("/debug/ctx", View::new(root));
    let viewing = serve(root, listener, |_| page);
    #[cfg(unix)]
    tokio_ctx::view::dump_on_signal(root)?;
    let at = format!("http://{}", server.address());
    let pid = std::process::id();
    timeline.say(&format!(
        "
Serving. Try these, and press Ctrl-C in the first to hang up:
  curl -H 'x-trace-id: mine' {at}/report
  curl -H 'x-timeout-ms: 200' {at}/report
  curl '{at}/report?bug'
  curl '{at}/report?hang'
  curl -X POST {at}/exports
  curl {at}/running
What runs, in a browser or with curl: {view}
The same here: kill -QUIT {pid}
Ctrl-C here shuts down in order.
"
    ));
    let (shutdown, _) = tokio::join!(server.stopped(), viewing);
    for (entry, after) in &shutdown.waited_for {
        let (work, trace) = (&entry.work, &entry.trace);
        timeline.say(&format!("waited for {work} [{trace}]: {}", millis(*after)));
    }
    if let Some(problem) = shutdown.problem {
        return Err(problem.into());
    }
    let took = millis(shutdown.took);
    let why = root.err().map(|why| why.to_string()).unwrap_or_default();
    timeline.say(&format!("stopped in order after {took}: {why}"));
    Ok(Vec::new())
}

/// Fills the databases and sizes their queries for this machine.
fn prepare(folder: &Path, timeline: &Timeline) -> Result<Arc<Databases>, Failure> {
    let started = Instant::now();
    let databases = Databases::open_or_fill(folder)?;
    let filled = started.elapsed();
    let [users, orders, payments] = databases.calibrate()?.map(millis);
    timeline.say(&format!(
        "One service, three SQLite databases of {},000 rows (filled in {}), seven ways to end a request.
  GET /report queries them in parallel; alone on this machine that takes {users}, {orders}, {payments}.
  Times count from the start of an act; [..] is the trace id that the client sent.",
        ROWS / 1_000,
        millis(filled)
    ));
    Ok(Arc::new(databases))
}
