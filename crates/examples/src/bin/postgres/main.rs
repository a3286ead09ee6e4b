//! A service on PostgreSQL whose clients hang up: what runs at the server before and after.
//!
//! Two routes ask the same slow question. One takes its connection from the driver's pool, as most
//! services do; the other uses it under the request's context. The program starts a PostgreSQL of
//! its own, plays the clients, looks into `pg_stat_activity`, and checks what it promises:
//! `cargo run -p examples --bin postgres`.

mod service;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use examples::client::{Answer, Call};
use servers::Postgres;
use tokio::net::TcpListener;
use tokio_ctx::Context;
use tokio_ctx::tower::serve;
use tokio_postgres::{Client, NoTls};

use self::service::{Pools, router};

/// How long something may take that takes a moment.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long the bare route is watched after its client has hung up.
const WATCH: Duration = Duration::from_millis(500);

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The promises, as they are kept or broken.
#[derive(Default)]
struct Promises {
    kept: usize,
    made: usize,
}

impl Promises {
    fn check(&mut self, what: &str, is_kept: bool) {
        self.made += 1;
        self.kept += usize::from(is_kept);
        println!("  {} {what}", if is_kept { "ok    " } else { "BROKEN" });
    }
}

/// A look into the server, from a session of its own.
struct Activity(Client);

impl Activity {
    /// How many sessions are busy with the slow question.
    async fn busy(&self) -> Result<i64, Failure> {
        let sql = "select count(*) from pg_stat_activity
                   where state = 'active' and query like '%pg_sleep%' and pid <> pg_backend_pid()";
        Ok(self.0.query_one(sql, &[]).await?.get(0))
    }

    /// Waits until that many are; whether it came to that.
    async fn wait_for(&self, busy: i64) -> Result<bool, Failure> {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if self.busy().await? == busy {
                return Ok(true);
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Ok(false)
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let postgres = match Postgres::start() {
        Ok(postgres) => postgres,
        Err(missing) if std::env::var_os(servers::REQUIRED).is_none() => {
            println!("postgres: skipped, as {missing}");
            return ExitCode::SUCCESS;
        }
        Err(missing) => {
            println!("postgres: {missing}");
            return ExitCode::FAILURE;
        }
    };
    let ctx = Context::background();
    match play(&ctx, &postgres).await {
        Ok(promises) => {
            println!(
                "postgres: {} of {} as promised",
                promises.kept, promises.made
            );
            ExitCode::from(u8::from(promises.kept != promises.made))
        }
        Err(failure) => {
            println!("postgres: {failure}");
            ExitCode::FAILURE
        }
    }
}

async fn play(ctx: &Context, postgres: &Postgres) -> Result<Promises, Failure> {
    let (watcher, connection) = tokio_postgres::connect(&postgres.conninfo(), NoTls).await?;
    // ctx-lint: allow(bare-spawn) the connection ends with its client
    tokio::spawn(async move { drop(connection.await) });
    let activity = Activity(watcher);
    let pools = Pools::new(&postgres.conninfo())?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let stop = ctx.with_cancel();
    let ctx = Context::clone(&stop);
    let served = pools.clone();
    let serving = tokio::spawn(async move {
        serve(&ctx, listener, |server| router(server.context(), served)).await
    });
    let mut promises = Promises::default();
    bare(address, &activity, &mut promises).await?;
    hang_up(address, &activity, &mut promises).await?;
    deadline(address, &activity, &mut promises).await?;
    transaction(address, &activity, &mut promises).await?;
    let counts = pools.ours.counts();
    promises.check(
        &format!("{} cuts, {} connections lost", counts.cuts, counts.lost()),
        counts.cuts == 3 && counts.lost() == 0,
    );
    stop.cancel();
    let report = serving.await?;
    promises.check(&format!("the server: {report}"), report.is_clean());
    Ok(promises)
}

/// What happens today.
async fn bare(
    address: SocketAddr,
    activity: &Activity,
    promises: &mut Promises,
) -> Result<(), Failure> {
    println!("the driver's pool, no context:");
    let call = Call::send(address, "GET /bare", &[]).await?;
    activity.wait_for(1).await?;
    println!(
        "    before the client hangs up: {} busy",
        activity.busy().await?
    );
    let hung_up = call.hang_up();
    tokio::time::sleep(WATCH).await;
    let busy = activity.busy().await?;
    println!("    {:.0?} after it has: {busy} busy", hung_up.elapsed());
    promises.check("the query runs on for nobody", busy == 1);
    let sql = "select pg_terminate_backend(pid) from pg_stat_activity
               where state = 'active' and pid <> pg_backend_pid() and query like '%pg_sleep%'";
    activity.0.execute(sql, &[]).await?;
    activity.wait_for(0).await?;
    Ok(())
}

async fn hang_up(
    address: SocketAddr,
    activity: &Activity,
    promises: &mut Promises,
) -> Result<(), Failure> {
    println!("under the request's context, and the client hangs up:");
    let call = Call::send(address, "GET /report", &[]).await?;
    activity.wait_for(1).await?;
    println!(
        "    before the client hangs up: {} busy",
        activity.busy().await?
    );
    let hung_up = call.hang_up();
    let has_stopped = activity.wait_for(0).await?;
    println!(
        "    {:.0?} after it has: {} busy",
        hung_up.elapsed(),
        activity.busy().await?
    );
    promises.check("the query has stopped at the server", has_stopped);
    let next = ask(address, "GET /quick").await?;
    promises.check("the next request has the connection", next.body == "42");
    Ok(())
}

async fn deadline(
    address: SocketAddr,
    activity: &Activity,
    promises: &mut Promises,
) -> Result<(), Failure> {
    println!("under the request's context, and its deadline passes:");
    let answer = ask(address, "GET /report").await?;
    let busy = activity.busy().await?;
    println!("    status {}, and then: {busy} busy", answer.status);
    promises.check("the client gets 504", answer.status == 504);
    promises.check("nothing runs any more when it is", busy == 0);
    Ok(())
}

async fn transaction(
    address: SocketAddr,
    activity: &Activity,
    promises: &mut Promises,
) -> Result<(), Failure> {
    println!("a transaction, cut in the middle:");
    let before = ask(address, "GET /balance").await?.body;
    let answer = ask(address, "GET /transfer").await?;
    let after = ask(address, "GET /balance").await?.body;
    println!(
        "    status {}, balance {before} before and {after} after",
        answer.status
    );
    promises.check(
        "it was rolled back",
        before == after && activity.busy().await? == 0,
    );
    Ok(())
}

async fn ask(address: SocketAddr, what: &str) -> Result<Answer, Failure> {
    Ok(Call::send(address, what, &[]).await?.answer().await?)
}
