//! Instruction counts by callgrind, which repeat exactly where times do not: a regression
//! shows on the noisiest machine.

use std::fmt::Write as _;
use std::future::Future;
use std::hint::black_box;
use std::io;
use std::pin::pin;
use std::process::{Command, ExitCode};
use std::task::{Context as TaskContext, Waker};
use std::time::Duration;

use tokio_ctx::Context;
use tokio_util::sync::CancellationToken;

use crate::document;
use crate::service;
use crate::work::{self, Flavour};

/// What this program is called with under callgrind: the name of an operation and how often.
pub(crate) const VERB: &str = "repeat";

/// An operation repeated so often, ours or a rival's.
type Repeat = fn(u32);

struct Operation {
    name: &'static str,
    work: &'static str,
    ours: Repeat,
    rival: Option<(&'static str, Repeat)>,
}

const OPERATIONS: &[Operation] = &[
    Operation {
        name: "derive",
        work: "derive, cancel, drop",
        ours: |times| {
            let parent = Context::background().with_cancel();
            for _ in 0..times {
                black_box(parent.with_cancel().cancel());
            }
        },
        rival: Some(("token", |times| {
            let parent = CancellationToken::new();
            for _ in 0..times {
                black_box(parent.child_token()).cancel();
            }
        })),
    },
    Operation {
        name: "derive-drop",
        work: "derive, drop",
        ours: |times| {
            let parent = Context::background().with_cancel();
            for _ in 0..times {
                drop(black_box(parent.with_cancel()));
            }
        },
        rival: Some(("token", |times| {
            let parent = CancellationToken::new();
            for _ in 0..times {
                drop(black_box(parent.child_token()));
            }
        })),
    },
    Operation {
        name: "timeout",
        work: "derive with timeout, drop",
        ours: |times| {
            let parent = Context::background().with_cancel();
            for _ in 0..times {
                drop(black_box(parent.with_timeout(Duration::from_secs(60))));
            }
        },
        rival: None,
    },
    Operation {
        name: "is-done",
        work: "`is_done`, live, depth 3",
        ours: |times| {
            let context = Context::background().with_cancel().disarm();
            let context = context.with_cancel().disarm().with_cancel().disarm();
            for _ in 0..times {
                black_box(black_box(&context).is_done());
            }
        },
        rival: Some(("token", |times| {
            let token = CancellationToken::new();
            for _ in 0..times {
                black_box(black_box(&token).is_cancelled());
            }
        })),
    },
    Operation {
        name: "done",
        work: "`done()`: make, poll pending, drop",
        ours: |times| {
            let context = Context::background().with_cancel();
            for _ in 0..times {
                poll_once(context.done());
            }
        },
        rival: Some(("token", |times| {
            let token = CancellationToken::new();
            for _ in 0..times {
                poll_once(token.cancelled());
            }
        })),
    },
    Operation {
        name: "first-wait",
        work: "derive, wait once, cancel, drop",
        ours: |times| {
            let parent = Context::background().with_cancel();
            poll_once(parent.done());
            for _ in 0..times {
                let child = parent.with_cancel();
                poll_once(child.done());
                black_box(child.cancel());
            }
        },
        rival: Some(("token", |times| {
            let parent = CancellationToken::new();
            for _ in 0..times {
                let child = parent.child_token();
                poll_once(child.cancelled());
                child.cancel();
            }
        })),
    },
    Operation {
        name: "err",
        work: "`err()` of an ended context",
        ours: |times| {
            let context = Context::background().with_cancel();
            context.cancel();
            for _ in 0..times {
                drop(black_box(context.err()));
            }
        },
        rival: None,
    },
    Operation {
        name: "clone",
        work: "clone and drop a context with a lifetime and values",
        ours: |times| {
            let context = work::chain_of_values(3).with_cancel();
            for _ in 0..times {
                drop(black_box(Context::clone(&context)));
            }
        },
        rival: Some(("token", |times| {
            let token = CancellationToken::new();
            for _ in 0..times {
                drop(black_box(token.clone()));
            }
        })),
    },
    Operation {
        name: "value",
        work: "add a value, drop",
        ours: |times| {
            for _ in 0..times {
                drop(black_box(work::chain_of_values(1)));
            }
        },
        rival: None,
    },
    Operation {
        name: "absent",
        work: "look up 30 absent keys among 10",
        ours: |times| {
            let context = work::chain_of_values(10);
            for _ in 0..times {
                work::absent_among(&context);
            }
        },
        rival: None,
    },
    Operation {
        name: "on-cancel",
        work: "`on_cancel`, stop",
        ours: |times| {
            let context = Context::background().with_cancel();
            for _ in 0..times {
                black_box(context.on_cancel(|_| ()).stop());
            }
        },
        rival: None,
    },
    Operation {
        name: "scope-of-3",
        work: "scope of 3 trivial tasks, current-thread",
        ours: |times| {
            Flavour::CurrentThread.runtime().block_on(async {
                for _ in 0..times {
                    work::scoped(3, false).await;
                }
            });
        },
        rival: Some(("JoinSet", |times| {
            Flavour::CurrentThread.runtime().block_on(async {
                for _ in 0..times {
                    work::join_set(3, false).await;
                }
            });
        })),
    },
    Operation {
        name: "scope-of-1000",
        work: "scope of 1000 trivial tasks, current-thread",
        ours: |times| {
            Flavour::CurrentThread.runtime().block_on(async {
                for _ in 0..times {
                    work::scoped(1000, false).await;
                }
            });
        },
        rival: Some(("bare `tokio::spawn`", |times| {
            Flavour::CurrentThread.runtime().block_on(async {
                for _ in 0..times {
                    work::bare(1000, false).await;
                }
            });
        })),
    },
    Operation {
        name: "request",
        work: "request to an axum hello-world with the layer, no connection",
        ours: service::requests_with_layer,
        rival: Some(("without", service::requests_without_layer)),
    },
];

fn poll_once<F: Future>(future: F) {
    let mut cx = TaskContext::from_waker(Waker::noop());
    assert!(pin!(future).poll(&mut cx).is_pending());
}

/// Under callgrind: does one operation `times` times and nothing else.
pub(crate) fn repeat(name: &str, times: &str) -> ExitCode {
    let (name, of_rival) = match name.strip_prefix("rival-") {
        Some(name) => (name, true),
        None => (name, false),
    };
    let operation = OPERATIONS.iter().find(|operation| operation.name == name);
    let (Some(operation), Ok(times)) = (operation, times.parse()) else {
        return ExitCode::from(2);
    };
    match (of_rival, operation.rival) {
        (false, _) => (operation.ours)(times),
        (true, Some((_, rival))) => rival(times),
        (true, None) => return ExitCode::from(2),
    }
    ExitCode::SUCCESS
}

/// Counts all operations and writes them into the document.
pub(crate) fn run() -> io::Result<()> {
    let mut text = String::from("| operation | ours | rival |\n|---|---|---|\n");
    for operation in OPERATIONS {
        let ours = per_operation(operation.name)?;
        let rival = match operation.rival {
            Some((name, _)) => {
                let count = per_operation(&format!("rival-{}", operation.name))?;
                format!("{count} ({name})")
            }
            None => String::new(),
        };
        eprintln!("benches: {}: {ours}, {rival}", operation.work);
        let _ = writeln!(text, "| {} | {ours} | {rival} |", operation.work);
    }
    print!("{text}");
    document::write("instructions", &text)
}

/// What the second half of a run costs: starting the program, and whatever happens only
/// once, is in both runs.
fn per_operation(name: &str) -> io::Result<u64> {
    const TIMES: u64 = 200;
    let (once, twice) = (count(name, TIMES)?, count(name, 2 * TIMES)?);
    Ok((twice.saturating_sub(once) + TIMES / 2) / TIMES)
}

fn count(name: &str, times: u64) -> io::Result<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe()?)
        .args([VERB, name, &times.to_string()])
        .output()
        .map_err(|error| io::Error::other(format!("valgrind did not start: {error}")))?;
    let text = String::from_utf8_lossy(&output.stderr);
    text.lines()
        .find_map(|line| line.split_once("Collected :")?.1.trim().parse().ok())
        .ok_or_else(|| io::Error::other(format!("callgrind said nothing of `{name}`: {text}")))
}
