//! The timeline: one line per event, with the milliseconds since the act began.

use std::fmt;
use std::io::{self, Write as _};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// No line is longer than this.
const WIDTH: usize = 100;

/// Where the demo prints: acts, what happens in them, and how they were judged.
///
/// # Examples
///
/// ```
/// use examples::timeline::Timeline;
///
/// let timeline = Timeline::in_memory();
/// timeline.act(1, "a patient client");
/// timeline.line("client", "GET /report");
/// assert!(timeline.text().contains("ms  client  GET /report"));
/// ```
#[derive(Debug)]
pub struct Timeline {
    page: Mutex<Page>,
}

#[derive(Debug)]
struct Page {
    began: Instant,
    /// `None` prints to standard output.
    memory: Option<String>,
}

impl Timeline {
    /// A timeline on standard output.
    #[must_use]
    pub fn stdout() -> Timeline {
        Timeline {
            page: Mutex::new(Page {
                began: Instant::now(),
                memory: None,
            }),
        }
    }

    /// A timeline that is kept, for tests.
    #[must_use]
    pub fn in_memory() -> Timeline {
        let memory = Some(String::new());
        Timeline {
            page: Mutex::new(Page {
                began: Instant::now(),
                memory,
            }),
        }
    }

    /// What was printed so far; nothing when that went to standard output.
    #[must_use]
    pub fn text(&self) -> String {
        self.page().memory.clone().unwrap_or_default()
    }

    /// Prints a paragraph as it is, without a time.
    pub fn say(&self, text: &str) {
        self.page().print(format_args!("{text}\n"));
    }

    /// Begins an act: its title, and the clock back to zero.
    pub fn act(&self, number: usize, title: &str) {
        let mut page = self.page();
        page.began = Instant::now();
        page.print(format_args!("\nAct {number}: {title}\n"));
    }

    /// Prints one event: how long into the act, who tells it, and what.
    pub fn line(&self, who: &str, what: &str) {
        let mut page = self.page();
        let at = page.began.elapsed().as_millis();
        page.wrapped(&format!("{at:>6} ms  {who:<6}  "), what);
    }

    /// Prints one judgement on the act, as in `why` or `ok`.
    pub fn judge(&self, label: &str, what: &str) {
        self.page()
            .wrapped(&format!("{:>9}  {label:<6}  ", ""), what);
    }

    fn page(&self) -> MutexGuard<'_, Page> {
        // A panic elsewhere leaves at worst half a line.
        self.page.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Page {
    /// Prints words after a prefix; further lines are indented as far.
    fn wrapped(&mut self, prefix: &str, text: &str) {
        let indent = " ".repeat(prefix.len());
        let mut line = prefix.to_owned();
        let mut empty = true;
        for word in text.split_whitespace() {
            if !empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
                self.print(format_args!("{}\n", line.trim_end()));
                line.clone_from(&indent);
                empty = true;
            }
            if !empty {
                line.push(' ');
            }
            line.push_str(word);
            empty = false;
        }
        self.print(format_args!("{}\n", line.trim_end()));
    }

    fn print(&mut self, text: fmt::Arguments<'_>) {
        match &mut self.memory {
            Some(memory) => memory.push_str(&text.to_string()),
            // A reader that closed the pipe is no reason to stop the service.
            None => drop(io::stdout().lock().write_fmt(text)),
        }
    }
}

/// A duration in milliseconds, with a decimal only where it says something.
///
/// # Examples
///
/// ```
/// use examples::timeline::millis;
/// use std::time::Duration;
///
/// assert_eq!(millis(Duration::from_micros(420)), "0.4 ms");
/// assert_eq!(millis(Duration::from_millis(612)), "612 ms");
/// ```
#[must_use]
pub fn millis(duration: Duration) -> String {
    if duration < Duration::from_millis(10) {
        format!("{:.1} ms", duration.as_secs_f64() * 1e3)
    } else {
        format!("{} ms", duration.as_millis())
    }
}
