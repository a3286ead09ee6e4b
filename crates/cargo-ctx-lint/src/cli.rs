//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

/// What `--help` prints.
pub(crate) const HELP: &str = "\
Reports misuse of tokio-ctx contexts in a workspace.

Usage: cargo ctx-lint [OPTIONS] [PATH]...

Without a PATH, reads every package of the workspace; with PATHs, only those files and
directories, without any manifest.

Options:
      --manifest-path <PATH>  Cargo.toml of the workspace to read
  -p, --package <NAME>        read only this package (repeatable)
      --config <PATH>         read this instead of ctx-lint.toml at the workspace root
      --fix                   write the repairs that have one right answer
      --json                  print one JSON object
      --sarif                 print SARIF 2.1.0
      --color <WHEN>          auto, always or never
      --list                  print all rules
      --explain <RULE>        print what a rule is for and how to repair its findings
  -h, --help                  print this
  -V, --version               print the version

Exit status: 0 if nothing is denied, 1 if something is, 2 if the command line, the
configuration or a file could not be read.
";

/// What to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// For people.
    Human,
    /// One JSON object.
    Json,
    /// SARIF 2.1.0.
    Sarif,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What to do.
#[derive(Debug)]
pub(crate) enum Command {
    /// Print the help text.
    Help,
    /// Print the version.
    Version,
    /// Print all rules.
    List,
    /// Explain a rule.
    Explain(String),
    /// Read and report.
    Check(Options),
}

/// How to read and report.
#[derive(Debug)]
pub(crate) struct Options {
    /// `--manifest-path`.
    pub(crate) manifest: Option<PathBuf>,
    /// `--package`.
    pub(crate) packages: Vec<String>,
    /// `--config`.
    pub(crate) config: Option<PathBuf>,
    /// `--fix`.
    pub(crate) fix: bool,
    /// `--json` or `--sarif`.
    pub(crate) format: Format,
    /// `--color`.
    pub(crate) color: Color,
    /// Files and directories to read instead of a workspace.
    pub(crate) paths: Vec<PathBuf>,
}

/// Reads the arguments behind the program's name. Cargo passes the name of the subcommand
/// as the first one.
pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Command, String> {
    let mut args = args.into_iter().peekable();
    args.next_if(|first| first == "ctx-lint");
    let mut options = Options {
        manifest: None,
        packages: Vec::new(),
        config: None,
        fix: false,
        format: Format::Human,
        color: Color::Auto,
        paths: Vec::new(),
    };
    let mut only_paths = false;
    while let Some(arg) = args.next() {
        let text = arg.to_str().unwrap_or_default();
        if only_paths || !text.starts_with('-') {
            options.paths.push(arg.into());
            continue;
        }
        let (name, attached) = match text.split_once('=') {
            Some((name, value)) if name.starts_with("--") => (name, Some(OsString::from(value))),
            _ => (text, None),
        };
        let takes_value = [
            "--manifest-path",
            "--package",
            "-p",
            "--config",
            "--color",
            "--explain",
        ];
        if attached.is_some() && !takes_value.contains(&name) {
            return Err(format!("`{name}` takes no value"));
        }
        let mut value = || {
            let value = attached.clone().or_else(|| args.next());
            value.ok_or_else(|| format!("`{name}` needs a value"))
        };
        let readable = |value: OsString| {
            value
                .into_string()
                .map_err(|_| format!("the value of `{name}` is not UTF-8"))
        };
        match name {
            "--" => only_paths = true,
            "-h" | "--help" => return Ok(Command::Help),
            "-V" | "--version" => return Ok(Command::Version),
            "--list" => return Ok(Command::List),
            "--explain" => return Ok(Command::Explain(value().and_then(readable)?)),
            "--manifest-path" => options.manifest = Some(value()?.into()),
            "--config" => options.config = Some(value()?.into()),
            "-p" | "--package" => options.packages.push(value().and_then(readable)?),
            "--fix" => options.fix = true,
            "--json" => options.set_format(Format::Json)?,
            "--sarif" => options.set_format(Format::Sarif)?,
            "--color" => {
                options.color = match value().and_then(readable)?.as_str() {
                    "auto" => Color::Auto,
                    "always" => Color::Always,
                    "never" => Color::Never,
                    other => {
                        return Err(format!("`--color` is auto, always or never, not `{other}`"));
                    }
                };
            }
            unknown => return Err(format!("unknown option `{unknown}`")),
        }
    }
    if !options.paths.is_empty() && (options.manifest.is_some() || !options.packages.is_empty()) {
        return Err("a PATH is read without a manifest or packages".to_owned());
    }
    Ok(Command::Check(options))
}

impl Options {
    fn set_format(&mut self, format: Format) -> Result<(), String> {
        if self.format != Format::Human && self.format != format {
            return Err("`--json` and `--sarif` exclude each other".to_owned());
        }
        self.format = format;
        Ok(())
    }
}
