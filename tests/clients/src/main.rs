//! A service of ours, and clients that nobody here wrote: for each client and each way to go
//! wrong it is checked that the server's requests end for the right reason and at once, that
//! good requests never fail, and that nothing is left.
//!
//! `cargo xtask clients` installs what pip and npm bring, and runs this with where it is.

mod check_id;
mod checks;
mod grpc;
mod log;
mod million;
mod nginx;
mod ours;
mod run;
mod server;
mod service;
mod trace;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_ctx::Context;

use self::checks::{Check, Run};
use self::nginx::Nginx;
use self::ours::Args;
use self::run::Tools;
use self::server::Server;

/// The fewest pairs of a client and a way to go wrong that make a run.
const FEWEST: usize = 60;

/// How soon half of the requests have to have ended whose client left.
const MEDIAN_MS: i64 = 250;

/// How many clients run at once.
const AT_ONCE: usize = 4;

#[tokio::main]
async fn main() -> ExitCode {
    let ctx = Context::background();
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let result = match args[..] {
        ["serve"] => service::run(&ctx).await.map_err(|error| error.to_string()),
        ["client", client, way, url, admin, id] => {
            let [way, url, admin, id] = [way, url, admin, id].map(str::to_owned);
            let args = Args {
                way,
                url,
                admin,
                id,
            };
            let called = ours::run(&ctx, client, args).await;
            called.map_err(|error| format!("{error}: {error:?}"))
        }
        ["check", scripts, python, node_modules, ref only @ ..] => {
            let tools = Tools {
                scripts: PathBuf::from(scripts),
                python: PathBuf::from(python),
                node_modules: PathBuf::from(node_modules),
            };
            check(tools, only).await.map_err(|error| error.to_string())
        }
        ["million", requests] => match requests.parse() {
            Ok(requests) => million::run(requests)
                .await
                .map_err(|error| error.to_string()),
            Err(_) => Err(format!("`{requests}` is no number of requests")),
        },
        _ => Err(
            "usage: clients check SCRIPTS PYTHON NODE_MODULES [CLIENT..], or million REQUESTS"
                .to_owned(),
        ),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("clients: {why}");
            ExitCode::FAILURE
        }
    }
}

async fn check(tools: Tools, only: &[&str]) -> Result<(), Box<dyn Error + Send + Sync>> {
    let tools = Arc::new(tools);
    let server = Arc::new(Server::start().await?);
    let nginx = Nginx::start(&[&server.url]).await;
    let proxy: Arc<str> = nginx.as_ref().map_or("", |nginx| &nginx.url).into();

    let mut checks = checks::all();
    checks.retain(|check| only.is_empty() || only.contains(&check.client));
    let (checks, absent): (Vec<_>, Vec<_>) = checks
        .into_iter()
        .partition(|check| is_there(check, &tools) && (nginx.is_some() || !check.by_nginx));
    for check in &absent {
        println!("not there: {}", check.name());
    }

    let good = tokio::spawn(ask_on(format!("{}/hello", server.url)));
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut running = JoinSet::new();
    for check in checks.clone() {
        let (tools, server, proxy) = (tools.clone(), server.clone(), proxy.clone());
        let places = places.clone();
        running.spawn(async move {
            let _place = places.acquire().await;
            let seen = run::run(&check, &tools, &server, &proxy).await;
            (check, seen.map_err(|error| error.to_string()))
        });
    }
    let mut kept = 0;
    let mut gone_after = Vec::new();
    while let Some(done) = running.join_next().await {
        let (check, seen) = done?;
        match seen {
            Ok(seen) => {
                kept += 1;
                let after = seen.gone_after_ms.map(|after| format!(" after {after} ms"));
                println!(
                    "{}: {}{}",
                    check.name(),
                    seen.why,
                    after.unwrap_or_default()
                );
                gone_after.extend(seen.gone_after_ms);
            }
            Err(why) => println!("{}: NOT AS PROMISED: {why}", check.name()),
        }
    }
    good.abort();
    let asked = good.await;
    if let Ok((asked, why)) = asked {
        return Err(format!("good request {asked} failed: {why}").into());
    }
    drop(nginx);
    server.nothing_is_left().await?;
    let server = Arc::into_inner(server).ok_or("somebody still uses the server")?;
    server.terminate().await?;
    let last = server.last().await?;
    if !last.is_clean {
        return Err(format!("the server did not stop in order: {}", last.report).into());
    }
    gone_after.sort_unstable();
    if let (Some(most), Some(median)) = (gone_after.last(), gone_after.get(gone_after.len() / 2)) {
        println!(
            "after a hang-up: half of the requests ended within {median} ms, the last one after {most} ms"
        );
        if *median > MEDIAN_MS {
            return Err(format!("half of them took more than {MEDIAN_MS} ms").into());
        }
    }
    println!("clients: {kept} of {} as promised", checks.len());
    let enough = !only.is_empty() || checks.len() >= FEWEST;
    match kept == checks.len() && enough {
        true => Ok(()),
        false if enough => Err("a promise was not kept".into()),
        false => Err(format!("fewer than {FEWEST} checks could be made").into()),
    }
}

/// Whether what a check is made with is installed.
fn is_there(check: &Check, tools: &Tools) -> bool {
    let runs = |program: &str| {
        let version = std::process::Command::new(program)
            .arg("--version")
            .output();
        version.is_ok()
    };
    match check.run {
        Run::Python(_) => tools.python.is_file(),
        Run::Node(_) => tools.node_modules.is_dir() && runs("node"),
        Run::Ours(_) => true,
        Run::Prints(line, _) | Run::Fails(line) => runs(line.split(' ').next().unwrap_or_default()),
    }
}

/// Good requests, one after another, for as long as they succeed: says which one failed.
async fn ask_on(url: String) -> (u64, String) {
    let http = reqwest::Client::new();
    let mut asked = 0;
    loop {
        asked += 1;
        let answer = async {
            http.get(&url)
                .send()
                .await?
                .error_for_status()?
                .text()
                .await
        };
        match answer.await {
            Ok(text) if text == "hello" => {}
            Ok(text) => return (asked, text),
            Err(error) => return (asked, format!("{error:?}")),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
