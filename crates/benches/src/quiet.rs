//! Whether the machine was ours while we measured.
//!
//! Another busy process does not only slow things down: it can make a slow thing look fast,
//! because it takes a core from a rival that uses two. So a round in which others used the CPU is
//! thrown away and repeated.

use std::fs;
use std::time::{Duration, Instant};

/// The unit of Linux' `/proc/stat` and `/proc/PID/stat`: USER_HZ is 100 on every platform that
/// Rust's std supports there.
const TICK: Duration = Duration::from_millis(10);

/// The share of one core that others may use in a round.
const LIMIT: f64 = 0.10;

/// The CPU time used by everybody and by us, at one moment.
struct Usage {
    all: u64,
    ours: u64,
}

/// Watches one round.
pub(crate) struct Watch<'a> {
    peers: &'a [u32],
    started: Instant,
    usage: Option<Usage>,
}

/// What others did meanwhile.
pub(crate) enum Verdict {
    Quiet,
    Disturbed,
    /// No `/proc` here: nobody can tell.
    Unknown,
}

impl<'a> Watch<'a> {
    /// Starts to watch; `peers` are the processes that work for us.
    pub(crate) fn start(peers: &'a [u32]) -> Watch<'a> {
        Watch {
            peers,
            started: Instant::now(),
            usage: usage(peers),
        }
    }

    pub(crate) fn verdict(self) -> Verdict {
        let (Some(before), Some(after)) = (self.usage, usage(self.peers)) else {
            return Verdict::Unknown;
        };
        let ticks = (after.all - before.all).saturating_sub(after.ours - before.ours);
        // Both sides count whole ticks, so one of them may be nobody's.
        let foreign = TICK.as_secs_f64() * ticks.saturating_sub(1) as f64;
        if foreign > LIMIT * self.started.elapsed().as_secs_f64() {
            Verdict::Disturbed
        } else {
            Verdict::Quiet
        }
    }
}

fn usage(peers: &[u32]) -> Option<Usage> {
    let mut ours = process(&fs::read_to_string("/proc/self/stat").ok()?)?;
    for peer in peers {
        ours += process(&fs::read_to_string(format!("/proc/{peer}/stat")).ok()?)?;
    }
    let all = machine(&fs::read_to_string("/proc/stat").ok()?)?;
    Some(Usage { all, ours })
}

/// Ticks of all processes, of the kernel, and of other guests of the same host.
fn machine(stat: &str) -> Option<u64> {
    let mut fields = stat.lines().next()?.split_whitespace();
    if fields.next()? != "cpu" {
        return None;
    }
    let ticks: Vec<u64> = fields.map_while(|field| field.parse().ok()).collect();
    // user, nice, system, idle, iowait, irq, softirq, steal
    Some(
        [0, 1, 2, 5, 6, 7]
            .iter()
            .filter_map(|i| ticks.get(*i))
            .sum(),
    )
}

/// User and system ticks of one process: its finished threads included, and the processes that it
/// started and waited for.
fn process(stat: &str) -> Option<u64> {
    // The name, in parentheses, may hold spaces; the fields are counted behind it.
    let (_, rest) = stat.rsplit_once(')')?;
    let fields = rest.split_whitespace().skip(11).take(4);
    let ticks: Vec<u64> = fields.map_while(|field| field.parse().ok()).collect();
    (ticks.len() == 4).then(|| ticks.iter().sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_linux_writes() {
        assert_eq!(machine("cpu  10 1 5 100 9 2 3 4 0 0\ncpu0 1"), Some(25));
        assert_eq!(machine("btime 7"), None);
        let stat = "7 (a) b) R 1 2 3 4 5 6 7 8 9 10 40 2 5 3 20";
        assert_eq!(process(stat), Some(50));
    }
}
