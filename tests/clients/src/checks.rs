//! The checks: a client, a way to go wrong, and what the server has to make of it.

/// What became of the requests of a check, as the server saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ends {
    /// None began, or each one was answered to its end.
    Finished,
    /// The last one ended because its client went away.
    Gone,
    /// The last one ended at its deadline.
    Late,
    /// The client keeps the deadline as well: whichever of the two is first.
    LateOrGone,
    /// The last one ended because the server stops.
    Stopped,
}

/// What the harness does while the client runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// Nothing: the client acts by itself.
    Watch,
    /// Kills the client once the server's handler runs.
    Kill,
    /// Stops the server, which is one of its own for this check.
    Stop,
}

/// How a client is started, and what it has to do.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Run {
    /// A script: `{dir}/FILE WAY URL ADMIN ID`.
    Python(&'static str),
    Node(&'static str),
    /// This program, in the place of a script.
    Ours(&'static str),
    /// A command line with `{url}`, `{id}` and `{space}` in it, which prints that.
    Prints(&'static str, &'static str),
    /// A command line that fails.
    Fails(&'static str),
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Check {
    pub(crate) client: &'static str,
    pub(crate) way: &'static str,
    pub(crate) ends: Ends,
    pub(crate) act: Act,
    pub(crate) run: Run,
    /// Whether a proxy stands between.
    pub(crate) by_nginx: bool,
}

impl Check {
    fn new(client: &'static str, way: &'static str, run: Run) -> Check {
        let act = if way.contains("sigterm") || way.contains("goaway") {
            Act::Stop
        } else {
            Act::Watch
        };
        Check {
            client,
            way,
            ends: Ends::of(way),
            act,
            run,
            by_nginx: false,
        }
    }

    fn ends(mut self, ends: Ends) -> Check {
        self.ends = ends;
        self
    }

    fn killed(mut self) -> Check {
        self.act = Act::Kill;
        self
    }

    fn by_nginx(mut self) -> Check {
        self.client = "nginx";
        self.by_nginx = true;
        self
    }

    pub(crate) fn name(&self) -> String {
        format!("{}: {}", self.client, self.way)
    }
}

impl Ends {
    /// A way means the same for each client.
    fn of(way: &str) -> Ends {
        let way = way.trim_end_matches("-h2").trim_end_matches("-text");
        match way {
            // The client's own clock runs as well.
            _ if way.starts_with("deadline-client") => Ends::LateOrGone,
            "stall-head" => Ends::Finished,
            _ if way.starts_with("deadline") || way.starts_with("stall") => Ends::Late,
            _ if way.starts_with("slow-reader") => Ends::Late,
            "reset" => Ends::Gone,
            _ if way.contains("cancel") || way == "give-up" => Ends::Gone,
            _ => Ends::Finished,
        }
    }
}

/// A client, what runs its script, the script, and its ways.
type Script = (
    &'static str,
    fn(&'static str) -> Run,
    &'static str,
    &'static [&'static str],
);

/// The clients that are scripts.
const SCRIPTS: &[Script] = &[
    (
        "socket",
        Run::Python,
        "socket_client.py",
        &[
            "cancel",
            "reset",
            "stall",
            "stall-head",
            "slow-reader",
            "slow-reader-stream",
            "pipelining",
            "deadline-pipelining",
            "expect-100",
            "expect-100-cut",
            "head",
            "garbage",
        ],
    ),
    (
        "aiohttp",
        Run::Python,
        "aiohttp_client.py",
        &[
            "good",
            "cancel",
            "cancel-body",
            "deadline",
            "deadline-body",
            "head",
            "expect-100",
            "stall",
            "upgrade",
            "sigterm",
        ],
    ),
    (
        "httpx",
        Run::Python,
        "httpx_client.py",
        &[
            "good",
            "cancel",
            "cancel-body",
            "deadline",
            "deadline-body",
            "head",
            "sigterm",
            "good-h2",
            "cancel-h2",
            "cancel-body-h2",
            "deadline-h2",
            "deadline-body-h2",
            "head-h2",
        ],
    ),
    (
        "grpcio",
        Run::Python,
        "grpc_client.py",
        &[
            "good",
            "cancel",
            "cancel-stream",
            "cancel-both",
            "deadline-client",
            "deadline-server",
            "deadline-stream",
            "half-close",
            "reset",
            "sigterm",
        ],
    ),
    (
        "node http",
        Run::Node,
        "http_client.js",
        &[
            "good",
            "cancel",
            "cancel-body",
            "deadline",
            "deadline-body",
            "head",
            "expect-100",
            "stall",
            "sigterm",
        ],
    ),
    (
        "node http2",
        Run::Node,
        "http2_client.js",
        &[
            "good",
            "cancel",
            "reset",
            "cancel-body",
            "deadline",
            "deadline-body",
            "head",
            "stall",
            "slow-reader",
            "goaway",
        ],
    ),
    (
        "node fetch",
        Run::Node,
        "fetch_client.js",
        &[
            "good",
            "cancel",
            "cancel-body",
            "deadline",
            "deadline-body",
            "head",
            "sigterm",
        ],
    ),
    (
        "@grpc/grpc-js",
        Run::Node,
        "grpc_client.js",
        &[
            "good",
            "cancel",
            "cancel-stream",
            "deadline-client",
            "deadline-server",
            "deadline-stream",
            "sigterm",
        ],
    ),
    (
        "grpc-web",
        Run::Node,
        "grpc_web_client.js",
        &[
            "good",
            "deadline",
            "deadline-stream",
            "cancel",
            "good-text",
            "deadline-text",
            "deadline-stream-text",
            "cancel-text",
        ],
    ),
    (
        "reqwest",
        Run::Ours,
        "reqwest",
        &[
            "good",
            "cancel",
            "cancel-body",
            "deadline-client",
            "deadline-client-body",
            "sigterm",
        ],
    ),
    (
        "hyper-util",
        Run::Ours,
        "hyper-util",
        &[
            "good",
            "cancel",
            "cancel-body",
            "deadline-client",
            "deadline-client-body",
            "sigterm",
        ],
    ),
    (
        "tonic",
        Run::Ours,
        "tonic",
        &[
            "good",
            "cancel",
            "cancel-stream",
            "deadline-client",
            "deadline-client-stream",
            "sigterm",
        ],
    ),
];

/// All of them; which of them can be made depends on what is installed.
pub(crate) fn all() -> Vec<Check> {
    let mut checks = Vec::new();
    for (client, run, file, ways) in SCRIPTS {
        checks.extend(ways.iter().map(|way| Check::new(client, way, run(file))));
    }
    let opentelemetry = Run::Python("opentelemetry_client.py");
    checks.push(Check::new("opentelemetry", "one-trace", opentelemetry));
    // HTTP/1 takes a client that half-closes for one that is gone.
    let socket = Run::Python("socket_client.py");
    checks.push(Check::new("socket", "half-close", socket).ends(Ends::Gone));
    // What follows an upgrade ends with its handler, which sees the socket fail.
    for (client, run) in [
        ("websockets", Run::Python("websockets_client.py")),
        ("ws", Run::Node("ws_client.js")),
    ] {
        checks.push(Check::new(client, "upgrade", run));
        checks.push(Check::new(client, "upgrade-cut", run));
        checks.push(Check::new(client, "sigterm", run).ends(Ends::Stopped));
    }
    let websockets = Run::Python("websockets_client.py");
    checks.push(Check::new("websockets", "slow-reader", websockets).ends(Ends::Finished));
    checks.extend(programs());
    checks.extend(through_nginx());
    checks
}

fn programs() -> Vec<Check> {
    macro_rules! curl {
        ($name:literal, $curl:literal) => {
            [
                Check::new($name, "good", Run::Prints(concat!($curl, " {url}/hello"), "hello")),
                Check::new($name, "cancel", Run::Prints(concat!($curl, " {url}/hang"), "")).killed(),
                Check::new($name, "give-up", Run::Fails(concat!($curl, " -m 0.3 {url}/hang"))),
                Check::new(
                    $name,
                    "deadline",
                    Run::Prints(
                        concat!($curl, " -o /dev/null -w %{http_code} -H x-timeout-ms:150 {url}/hang"),
                        "504",
                    ),
                ),
                Check::new(
                    $name,
                    "deadline-body",
                    Run::Fails(concat!($curl, " -H x-timeout-ms:150 {url}/stream")),
                ),
                Check::new($name, "head", Run::Prints(concat!($curl, " -I {url}/scoped"), "200")),
                Check::new(
                    $name,
                    "slow-reader",
                    Run::Prints(
                        concat!(
                            $curl,
                            " -o /dev/null -w %{size_download} --limit-rate 16M -H x-timeout-ms:150 {url}/download"
                        ),
                        "33554432",
                    ),
                ),
                Check::new(
                    $name,
                    "stall",
                    Run::Fails(concat!(
                        $curl,
                        " -m 2 -H x-timeout-ms:150 -X POST -T - {url}/upload"
                    )),
                ),
                Check::new($name, "sigterm", Run::Prints(concat!($curl, " {url}/work"), "done")),
            ]
        };
    }
    let mut checks = Vec::new();
    checks.extend(curl!("curl", "curl -sS -H x-id:{id}"));
    checks.extend(curl!(
        "curl --http2",
        "curl -sS --http2-prior-knowledge -H x-id:{id}"
    ));
    checks.extend([
        Check::new(
            "curl",
            "expect-100",
            Run::Prints(
                "curl -sS -H x-id:{id} -H Expect:100-continue -d body {url}/upload",
                "4",
            ),
        ),
        Check::new(
            "nghttp",
            "good",
            Run::Prints("nghttp -H x-id:{id} {url}/hello", "hello"),
        ),
        Check::new(
            "nghttp",
            "cancel",
            Run::Prints("nghttp -H x-id:{id} {url}/hang", ""),
        )
        .killed(),
        Check::new(
            "nghttp",
            "deadline",
            Run::Prints(
                "nghttp -v -H x-id:{id} -H x-timeout-ms:150 {url}/hang",
                ":status: 504",
            ),
        ),
        Check::new(
            "nghttp",
            "goaway",
            Run::Prints("nghttp -v -H x-id:{id} {url}/work", "recv GOAWAY frame"),
        ),
        Check::new(
            "h2load",
            "good",
            Run::Prints(
                "h2load -n 2000 -c 4 -m 10 -H x-id:{id} {url}/hello",
                "2000 succeeded, 0 failed",
            ),
        ),
        Check::new(
            "h2load",
            "cancel",
            Run::Prints("h2load -n 20 -c 2 -m 10 -H x-id:{id} {url}/hang", ""),
        )
        .killed(),
        Check::new(
            "wrk",
            "good",
            Run::Prints(
                "wrk -t 1 -c 8 -d 1s -H x-id:{space}{id} {url}/hello",
                "requests in",
            ),
        )
        .ends(Ends::Finished),
        Check::new(
            "wrk",
            "cancel",
            Run::Prints("wrk -t 1 -c 8 -d 30s -H x-id:{space}{id} {url}/hang", ""),
        )
        .killed(),
    ]);
    checks
}

/// The same through a proxy that nobody here wrote.
fn through_nginx() -> Vec<Check> {
    let aiohttp = Run::Python("aiohttp_client.py");
    let mut checks = vec![
        Check::new("", "cancel", Run::Prints("curl -sS -H x-id:{id} {url}/hang", "")).killed(),
        Check::new(
            "",
            "slow-reader",
            Run::Prints(
                "curl -sS -o /dev/null -w %{size_download} --limit-rate 16M -H x-id:{id} {url}/download",
                "33554432",
            ),
        )
        .ends(Ends::Finished),
    ];
    for way in [
        "good",
        "cancel-body",
        "deadline",
        "deadline-body",
        "head",
        "stall",
        "expect-100",
    ] {
        checks.push(Check::new("", way, aiohttp));
    }
    let ws = Run::Node("ws_client.js");
    checks.push(Check::new("", "upgrade", ws));
    checks.push(Check::new("", "upgrade-cut", Run::Node("ws_client.js")));
    checks.into_iter().map(Check::by_nginx).collect()
}
