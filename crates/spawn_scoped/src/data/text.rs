//! Text from outside: names, errors and panics. It is escaped where it comes in, so that whatever
//! prints it later prints one line.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use tokio_ctx_core::owner;

/// A name given to a task or a scope. One word wide, and shared: the entry, the task's wrapper and
/// its handle each keep one.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Name(Arc<Cow<'static, str>>);

impl Name {
    pub(crate) fn new(name: impl Into<Cow<'static, str>>) -> Self {
        Self(Arc::new(one_line(name.into())))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// What is one line already, as most texts are, is left as it is.
pub(crate) fn one_line(text: Cow<'static, str>) -> Cow<'static, str> {
    let is_plain = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
    match text.bytes().all(is_plain) {
        true => text,
        false => owner::one_line(text).to_string().into(),
    }
}
