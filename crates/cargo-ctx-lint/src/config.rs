//! `ctx-lint.toml`: one at the root of the workspace, and one in any package that needs
//! more.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Deserialize;

use crate::finding::Level;
use crate::{glob, spelling};

/// The name of the file.
pub(crate) const FILE: &str = "ctx-lint.toml";

/// What the configuration files say.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Config {
    /// Functions in which a context may be made from nothing: `module::function` or
    /// `crate::**`.
    pub(crate) roots: Vec<String>,
    /// Files that are not read.
    pub(crate) exclude: Vec<String>,
    /// Files that count as tests.
    pub(crate) tests: Vec<String>,
    /// Names of context parameters that are right besides `ctx`.
    pub(crate) context_names: BTreeSet<String>,
    /// Words that make a key a secret, besides those the tool knows.
    pub(crate) secret_words: BTreeSet<String>,
    /// Types that no key may carry, besides those the tool knows.
    pub(crate) infrastructure_types: BTreeSet<String>,
    /// Types that a key may carry although their name looks like infrastructure.
    pub(crate) not_infrastructure: BTreeSet<String>,
    /// How much each rule matters.
    pub(crate) rules: BTreeMap<String, Level>,
    /// Rules that are off in some files.
    #[serde(rename = "allow")]
    pub(crate) allows: Vec<PathAllow>,
}

/// Rules that are off in the files of a pattern.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PathAllow {
    /// Which files.
    pub(crate) path: String,
    /// Which rules.
    pub(crate) rules: Vec<String>,
    /// Why.
    pub(crate) reason: String,
}

impl Config {
    /// Reads a file. Its patterns are relative to the file; `prefix` is the way there from
    /// the root of the workspace, `known` the names of all rules.
    pub(crate) fn read(
        path: &Path,
        prefix: &str,
        known: &[&'static str],
    ) -> Result<Config, String> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        let mut config: Config = toml::from_str(&text)
            .map_err(|error| format!("{}: {}", path.display(), error.to_string().trim_end()))?;
        config
            .check(known)
            .map_err(|error| format!("{}: {error}", path.display()))?;
        if !prefix.is_empty() {
            let of_allows = config.allows.iter_mut().map(|allow| &mut allow.path);
            let all = config
                .exclude
                .iter_mut()
                .chain(&mut config.tests)
                .chain(of_allows);
            all.for_each(|pattern| *pattern = format!("{prefix}/{pattern}"));
        }
        Ok(config)
    }

    fn check(&self, known: &[&'static str]) -> Result<(), String> {
        let in_allows = self.allows.iter().flat_map(|allow| &allow.rules);
        if let Some(unknown) = self
            .rules
            .keys()
            .chain(in_allows)
            .find(|id| !known.contains(&id.as_str()))
        {
            let hint =
                spelling::nearest(unknown, known).map(|rule| format!(", did you mean `{rule}`?"));
            return Err(format!(
                "there is no rule `{unknown}`{}",
                hint.unwrap_or_default()
            ));
        }
        match self
            .allows
            .iter()
            .find(|allow| allow.reason.trim().is_empty())
        {
            Some(allow) => Err(format!("the allow for `{}` gives no reason", allow.path)),
            None => Ok(()),
        }
    }

    /// Adds the configuration of a package. Levels are the workspace's to set.
    pub(crate) fn merge(&mut self, package: Config) -> Result<(), String> {
        if !package.rules.is_empty() {
            return Err("`[rules]` belongs in the workspace's own file".to_owned());
        }
        self.roots.extend(package.roots);
        self.exclude.extend(package.exclude);
        self.tests.extend(package.tests);
        self.context_names.extend(package.context_names);
        self.secret_words.extend(package.secret_words);
        self.infrastructure_types
            .extend(package.infrastructure_types);
        self.not_infrastructure.extend(package.not_infrastructure);
        self.allows.extend(package.allows);
        Ok(())
    }

    /// How much a rule matters.
    pub(crate) fn level(&self, rule: &str) -> Level {
        self.rules.get(rule).copied().unwrap_or(Level::Deny)
    }

    /// Whether a file is left out.
    pub(crate) fn is_excluded(&self, shown: &str) -> bool {
        self.exclude
            .iter()
            .any(|pattern| glob::matches(pattern, shown))
    }

    /// Whether a file counts as tests.
    pub(crate) fn is_test_path(&self, shown: &str) -> bool {
        self.tests
            .iter()
            .any(|pattern| glob::matches(pattern, shown))
    }

    /// Whether a rule is off in a file.
    pub(crate) fn allows_in(&self, rule: &str, shown: &str) -> bool {
        self.allows.iter().any(|allow| {
            allow.rules.iter().any(|id| id == rule) && glob::matches(&allow.path, shown)
        })
    }

    /// Whether a function may make contexts from nothing. A pattern without a star is the
    /// end of the function's path.
    pub(crate) fn is_root(&self, package: &str, path: &[String]) -> bool {
        if self.roots.is_empty() {
            return false;
        }
        let path = format!("{}/{}", package.replace('-', "_"), path.join("/"));
        self.roots.iter().any(|root| {
            let root = root.replace("::", "/");
            let anywhere = format!("**/{root}");
            glob::matches(if root.contains('*') { &root } else { &anywhere }, &path)
        })
    }
}
