//! The command line: which verb, with which options, and what to say about a mistake.

use std::ffi::OsString;
use std::time::Duration;

use crate::Verb;
use crate::times::about;

/// An option of a verb, and what it does.
pub(crate) type Flag = (&'static str, &'static str);

/// What a command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// The help for all verbs, or for one.
    Help(Option<String>),
    /// Run a verb with these of its options.
    Run(String, Vec<String>),
}

/// Reads the arguments behind the program's name; an error names the argument that is wrong.
pub(crate) fn parse(
    args: impl IntoIterator<Item = OsString>,
    verbs: &[&Verb],
) -> Result<Request, String> {
    use lexopt::Arg;

    let mut parser = lexopt::Parser::from_args(args);
    let mut verb: Option<&Verb> = None;
    let mut options = Vec::new();
    let mut help = false;
    while let Some(arg) = parser.next().map_err(|error| error.to_string())? {
        match arg {
            Arg::Short('h') | Arg::Long("help") => help = true,
            Arg::Value(value) if verb.is_none() => {
                let name = value.to_string_lossy().into_owned();
                if name == "help" {
                    help = true;
                    continue;
                }
                let found = verbs.iter().copied().find(|verb| verb.name == name);
                verb = Some(found.ok_or_else(|| no_verb(&name, verbs))?);
            }
            Arg::Long(name) if verb.is_some() => {
                let option = format!("--{name}");
                check_option(verb, &option)?;
                options.push(option);
            }
            other => {
                let (given, verb) = (shown(&other), verb.map_or("xtask", |verb| verb.name));
                return Err(format!("`{given}` is not an argument of `{verb}`"));
            }
        }
    }
    match verb {
        _ if help => Ok(Request::Help(verb.map(|verb| verb.name.to_owned()))),
        Some(verb) => Ok(Request::Run(verb.name.to_owned(), options)),
        None => Err("which verb? `cargo xtask --help` lists them".to_owned()),
    }
}

fn check_option(verb: Option<&Verb>, option: &str) -> Result<(), String> {
    let Some(verb) = verb else { return Ok(()) };
    let names: Vec<&str> = verb.options.iter().map(|(name, _)| *name).collect();
    if names.contains(&option) {
        return Ok(());
    }
    let takes = match &*names {
        [] => "it takes none".to_owned(),
        names => format!("it takes {}", names.join(", ")),
    };
    Err(format!("`{}` has no option `{option}`; {takes}", verb.name))
}

fn no_verb(name: &str, verbs: &[&Verb]) -> String {
    let near = verbs
        .iter()
        .map(|verb| (distance(name, verb.name), verb.name))
        .min();
    match near {
        Some((differs, near)) if differs <= 2 => {
            format!("there is no verb `{name}`; did you mean `{near}`?")
        }
        _ => format!("there is no verb `{name}`; `cargo xtask --help` lists them"),
    }
}

/// How many letters have to change to make one word of the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (at, a) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], at + 1);
        for (column, b) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[b.len()]
}

fn shown(arg: &lexopt::Arg<'_>) -> String {
    match arg {
        lexopt::Arg::Short(letter) => format!("-{letter}"),
        lexopt::Arg::Long(name) => format!("--{name}"),
        lexopt::Arg::Value(value) => value.to_string_lossy().into_owned(),
    }
}

/// The help for all verbs.
pub(crate) fn help(verbs: &[&Verb]) -> String {
    let mut text = String::from("The project's jobs.\n\nUsage: cargo xtask VERB [OPTIONS]\n\n");
    for verb in verbs {
        text.push_str(&format!("  {:<9} {}", verb.name, verb.about));
        text.push('\n');
    }
    text.push_str(
        "\n`cargo xtask VERB --help` lists its options, and says how long it takes. A failing verb ends with the one \
         command\nthat repeats the step. Steps that could not be run here are counted and named.\n",
    );
    text
}

/// The help for one verb.
pub(crate) fn help_for(verb: &Verb, cost: Option<&str>, last: Option<Duration>) -> String {
    let mut text = format!("{}\n\nUsage: cargo xtask {}", verb.about, verb.name);
    if !verb.options.is_empty() {
        text.push_str(" [OPTIONS]\n");
    }
    for (name, about) in verb.options {
        text.push_str(&format!("\n  {name:<16}{about}"));
    }
    text.push('\n');
    if let Some(last) = last {
        text.push_str(&format!("\nThe last time, here: {}.\n", about(last)));
    }
    if let Some(cost) = cost {
        text.push_str(&format!("\nFrom nothing, on two cores: {cost}.\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIDY: Verb = Verb {
        name: "tidy",
        about: "the rules",
        offered: |_| true,
        options: &[],
        run: |_, _, _| Ok(()),
    };
    const LOOM: Verb = Verb {
        name: "loom",
        options: &[("--deep", "more"), ("--mutants", "every fault")],
        ..TIDY
    };

    fn parsed(line: &str) -> Result<Request, String> {
        parse(line.split_whitespace().map(OsString::from), &[&TIDY, &LOOM])
    }

    #[test]
    fn help_is_asked_for_in_every_usual_way() {
        for line in ["--help", "-h", "help"] {
            assert_eq!(parsed(line), Ok(Request::Help(None)), "{line}");
        }
        for line in ["loom --help", "help loom", "loom -h"] {
            assert_eq!(
                parsed(line),
                Ok(Request::Help(Some("loom".to_owned()))),
                "{line}"
            );
        }
    }

    #[test]
    fn a_verb_is_run_with_its_options() {
        let run = Request::Run("loom".to_owned(), vec!["--deep".to_owned()]);
        assert_eq!(parsed("loom --deep"), Ok(run));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let check = |line: &str, expected: &str| {
            let error = parsed(line).expect_err(line);
            assert!(error.contains(expected), "{line}: {error}");
        };
        check("", "which verb?");
        check("tidi", "there is no verb `tidi`; did you mean `tidy`?");
        check(
            "publish",
            "there is no verb `publish`; `cargo xtask --help`",
        );
        check(
            "tidy --fast",
            "`tidy` has no option `--fast`; it takes none",
        );
        check("loom --fast", "it takes --deep, --mutants");
        check("tidy now", "`now` is not an argument of `tidy`");
        check("--fast", "`--fast` is not an argument of `xtask`");
        check("loom -x", "`-x` is not an argument of `loom`");
        check("loom --deep=3", "--deep");
    }

    #[test]
    fn the_help_names_every_verb_and_the_help_of_a_verb_its_options_and_times() {
        let help = help(&[&TIDY, &LOOM]);
        for word in ["tidy", "loom"] {
            assert!(help.contains(word), "{word}");
        }
        let help = help_for(
            &LOOM,
            Some("2 minutes, 1 GB"),
            Some(Duration::from_secs(30)),
        );
        for word in [
            "--deep",
            "every fault",
            "2 minutes, 1 GB",
            "about 30 seconds",
        ] {
            assert!(help.contains(word), "{word}");
        }
    }
}
