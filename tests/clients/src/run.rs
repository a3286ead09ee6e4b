//! One check: the client is started, something goes wrong, and the server is asked about it.

use std::error::Error;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::checks::{Act, Check, Ends, Run};
use crate::log::now_ms;
use crate::server::Server;

/// The longest that a client may take.
const CLIENT: Duration = Duration::from_secs(25);

/// How soon a request has to have ended: generous, since the machine may be busy. Half of them
/// have to be much sooner.
const PROMPT_MS: i64 = 5_000;

/// What the deadlines of the checks are at least.
const DEADLINE_MS: i64 = 150;

/// Where the tools are.
pub(crate) struct Tools {
    pub(crate) scripts: std::path::PathBuf,
    pub(crate) python: std::path::PathBuf,
    pub(crate) node_modules: std::path::PathBuf,
}

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// What the server has seen, which was as promised.
pub(crate) struct Seen {
    pub(crate) why: String,
    /// How long after the client left.
    pub(crate) gone_after_ms: Option<i64>,
}

pub(crate) async fn run(
    check: &Check,
    tools: &Tools,
    shared: &Server,
    nginx: &str,
) -> Result<Seen> {
    let id = format!("{}-{}", check.client, check.way).replace([' ', '/', '@'], "_");
    let own = match check.act {
        Act::Stop => Some(Server::start().await?),
        Act::Watch | Act::Kill => None,
    };
    let server = own.as_ref().unwrap_or(shared);
    let url = if check.by_nginx { nginx } else { &server.url };
    let mut client = start(check, tools, url, &server.admin, &id)?;
    let acted = timeout(CLIENT, attend(check, &mut client, server, &id)).await;
    let acted = match acted {
        Ok(acted) => acted?,
        Err(_) => return Err("the client does not end".into()),
    };
    let ended = match own {
        None => {
            let url = format!("{}/ended?id={id}", shared.admin);
            let text = reqwest::get(url).await?.text().await?;
            serde_json::from_str(&text)?
        }
        Some(own) => {
            let mut last = own.last().await?;
            if !last.is_clean {
                return Err(format!("the server did not stop in order: {}", last.report).into());
            }
            last.ended[&id].take()
        }
    };
    judge(
        check.ends,
        acted,
        ended.as_array().map_or(&[], Vec::as_slice),
    )
}

fn start(check: &Check, tools: &Tools, url: &str, admin: &str, id: &str) -> Result<Child> {
    let script = |program: &Path, file: &str| {
        let mut command = Command::new(program);
        command
            .arg(tools.scripts.join(file))
            .args([check.way, url, admin, id]);
        command
    };
    let fill = |word: &str| {
        let word = word.replace("{url}", url).replace("{id}", id);
        word.replace("{space}", " ")
    };
    let mut command = match check.run {
        Run::Python(file) => script(&tools.python, &format!("python/{file}")),
        Run::Node(file) => {
            let mut command = script(Path::new("node"), &format!("node/{file}"));
            command.env("NODE_PATH", &tools.node_modules);
            command
        }
        Run::Ours(client) => {
            let mut command = Command::new(std::env::current_exe()?);
            command.args(["client", client, check.way, url, admin, id]);
            command
        }
        Run::Prints(line, _) | Run::Fails(line) => {
            let mut words = line.split(' ').map(fill);
            let mut command = Command::new(words.next().unwrap_or_default());
            command.args(words);
            command
        }
    };
    command
        // Stays open: what reads it waits for more.
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .env("PYTHONDONTWRITEBYTECODE", "1");
    Ok(command.spawn()?)
}

/// Lets the client do its part, does the harness's, and says when that was.
async fn attend(check: &Check, client: &mut Child, server: &Server, id: &str) -> Result<u64> {
    let stdout = client.stdout.take().ok_or("no standard output")?;
    let mut stderr = client.stderr.take().ok_or("no standard error")?;
    let complaint = tokio::spawn(async move {
        let mut text = String::new();
        stderr.read_to_string(&mut text).await.map(|_| text)
    });
    let started = now_ms();
    let by_command = matches!(check.run, Run::Prints(..) | Run::Fails(_));
    let mut acted = by_command.then_some(started);
    if by_command && check.act != Act::Watch {
        let began = reqwest::get(format!("{}/began?id={id}", server.admin)).await?;
        began.error_for_status()?;
        acted = Some(now_ms());
        match check.act {
            Act::Stop => server.terminate().await?,
            _ => client.kill().await?,
        }
    }
    let mut printed = Vec::new();
    let mut lines = BufReader::new(stdout).split(b'\n');
    while let Some(line) = lines.next_segment().await? {
        let text = String::from_utf8_lossy(&line);
        if let Some(at) = text.strip_prefix("acted ") {
            acted = Some(at.trim().parse()?);
            if check.act == Act::Stop {
                server.terminate().await?;
            }
        }
        printed.extend_from_slice(&line);
        printed.push(b'\n');
    }
    let status = client.wait().await?;
    let text = String::from_utf8_lossy(&printed);
    let is_as_wanted = match check.run {
        _ if check.act == Act::Kill => true,
        Run::Fails(_) => !status.success(),
        Run::Prints(_, wanted) => status.success() && text.contains(wanted) && is_good(&text),
        _ => status.success(),
    };
    if !is_as_wanted {
        let complaint = complaint.await??;
        let printed: String = text.chars().take(400).collect();
        return Err(format!("the client ended with {status}: {printed} {complaint}").into());
    }
    Ok(acted.unwrap_or(started))
}

/// What load generators say of requests that failed.
fn is_good(text: &str) -> bool {
    !text.contains("Socket errors") && !text.contains("Non-2xx")
}

/// Whether the requests ended as they had to, and when.
fn judge(wanted: Ends, acted: u64, ended: &[Value]) -> Result<Seen> {
    let reason = |end: &Value| end["reason"].as_str().unwrap_or_default().to_owned();
    let last = ended.iter().max_by_key(|end| end["at"].as_u64());
    let Some(last) = last else {
        return match wanted {
            // A client's own deadline may pass before there is a request.
            Ends::Finished | Ends::LateOrGone => Ok(Seen {
                why: "nothing began".into(),
                gone_after_ms: None,
            }),
            _ => Err("no request ended".into()),
        };
    };
    let others = ended
        .iter()
        .map(reason)
        .filter(|reason| reason != "RequestFinished");
    let why = reason(last);
    let is_wanted = match wanted {
        Ends::Finished => others.clone().count() == 0,
        Ends::Gone => why == "CallerGone",
        Ends::Late => why == "Deadline",
        Ends::LateOrGone => why == "Deadline" || why == "CallerGone",
        Ends::Stopped => why.starts_with("Signal") || why == "Shutdown",
    };
    if !is_wanted {
        let all: Vec<_> = ended.iter().map(|end| &end["why"]).collect();
        return Err(format!("{wanted:?} was promised, and the server saw {all:?}").into());
    }
    let after = last["at"].as_u64().unwrap_or_default() as i64 - acted as i64;
    // Work in flight is finished, however long that takes.
    let soonest = if matches!(wanted, Ends::Late) { 0 } else { -50 };
    let latest = PROMPT_MS
        + if matches!(wanted, Ends::Late | Ends::LateOrGone) {
            DEADLINE_MS
        } else {
            0
        };
    if wanted != Ends::Finished && !(soonest..latest).contains(&after) {
        return Err(format!("{why}, but {after} ms after the client acted").into());
    }
    Ok(Seen {
        why,
        gone_after_ms: (wanted == Ends::Gone).then_some(after),
    })
}
