//! How long each step took the last time, so that the next time it can be said beforehand.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

/// The seconds of each step by its title, kept in the target directory.
#[derive(Debug)]
pub(crate) struct Times {
    file: PathBuf,
    seconds: BTreeMap<String, f64>,
}

impl Times {
    /// What was kept; nothing where nothing can be read.
    pub(crate) fn read(file: PathBuf) -> Times {
        let text = fs::read_to_string(&file).unwrap_or_default();
        let rows = text.lines().filter_map(|line| {
            let (title, seconds) = line.rsplit_once('\t')?;
            Some((title.to_owned(), seconds.parse().ok()?))
        });
        Times {
            seconds: rows.collect(),
            file,
        }
    }

    /// How long a step took the last time.
    pub(crate) fn of(&self, title: &str) -> Option<Duration> {
        let seconds = *self.seconds.get(title)?;
        Duration::try_from_secs_f64(seconds).ok()
    }

    /// Keeps how long a step took. It is a help for the next run, so it may fail.
    pub(crate) fn keep(&mut self, title: &str, took: Duration) {
        self.seconds.insert(title.to_owned(), took.as_secs_f64());
        let rows = self.seconds.iter();
        let text: String = rows
            .map(|(title, seconds)| format!("{title}\t{seconds:.1}\n"))
            .collect();
        if let Some(directory) = self.file.parent() {
            let _ = fs::create_dir_all(directory);
        }
        let _ = fs::write(&self.file, text);
    }
}

/// `about 3 minutes`, `about 20 seconds`.
pub(crate) fn about(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    match seconds {
        0.0..1.5 => "about a second".to_owned(),
        1.5..90.0 => format!("about {seconds:.0} seconds"),
        _ => format!("about {:.0} minutes", (seconds / 60.0).max(2.0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_again() {
        let directory = std::env::temp_dir().join(format!("xtask times {}", std::process::id()));
        let file = directory.join("times.txt");
        let mut times = Times::read(file.clone());
        assert_eq!(times.of("clippy"), None);
        times.keep("clippy", Duration::from_secs(72));
        assert_eq!(
            Times::read(file).of("clippy"),
            Some(Duration::from_secs(72))
        );
        fs::remove_dir_all(directory).expect("it was made");
    }

    #[test]
    fn a_duration_is_said_as_people_say_it() {
        let check =
            |seconds, expected| assert_eq!(about(Duration::from_secs_f64(seconds)), expected);
        check(0.2, "about a second");
        check(20.4, "about 20 seconds");
        check(91.0, "about 2 minutes");
        check(600.0, "about 10 minutes");
    }
}
