//! What was set about a scope, as data.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use crate::data::text::Name;

/// The options, without the type of the error.
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
    /// Of a scope without options.
    pub(crate) const NONE: Config = Config {
        name: None,
        grace: None,
        drain: None,
        clean_up: None,
        limit: None,
        supervise: false,
        keep_body: false,
        describe: None,
    };

    /// For bodies that outlive the loss of their tasks.
    pub(crate) fn keeping_body() -> Arc<Config> {
        Arc::new(Config {
            keep_body: true,
            ..Config::NONE
        })
    }
}

/// Makes the text of an error whose type it knows.
pub(crate) type Describe = Box<dyn Fn(&(dyn Any + Send)) -> Option<String> + Send + Sync>;
