//! What was set about a scope, as data.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use crate::data::text::Name;

/// The options, without the type of the error.
#[derive(Default)]
pub(crate) struct Config {
    pub(crate) name: Option<Name>,
    pub(crate) grace: Option<Duration>,
    pub(crate) drain: Option<Duration>,
    pub(crate) clean_up: Option<Duration>,
    pub(crate) limit: Option<usize>,
    pub(crate) supervise: bool,
    pub(crate) keep_body: bool,
    pub(crate) describe: Option<Describe>,
}

impl Config {
    /// For bodies that outlive the loss of their tasks.
    pub(crate) fn keeping_body() -> Arc<Config> {
        Arc::new(Config {
            keep_body: true,
            ..Config::default()
        })
    }
}

/// Makes the text of an error whose type it knows.
pub(crate) type Describe = Box<dyn Fn(&(dyn Any + Send)) -> Option<String> + Send + Sync>;
