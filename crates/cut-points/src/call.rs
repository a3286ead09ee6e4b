//! The function under test, behind one type for all modes.

use std::fmt;
use std::pin::Pin;

pub(crate) type Local<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// One call of the function under test.
pub(crate) struct Call<'a> {
    /// Its error is the text of what the function returned.
    pub(crate) future: Local<'a, Result<(), String>>,
    /// Cancels what the call was given.
    pub(crate) cancel: Box<dyn Fn()>,
}

/// Starts one call in a world.
pub(crate) type Start<W> = dyn for<'a> Fn(&'a W) -> Call<'a>;

/// What a function under test may return: `()`, or a `Result` whose error can be printed.
///
/// Anything else is to be mapped to one of the two in the closure.
pub trait Ending: sealed::Ending {}

pub(crate) mod sealed {
    pub trait Ending {
        /// The error, as `Debug` prints it.
        fn ending(self) -> Result<(), String>;
    }
}

impl Ending for () {}
impl sealed::Ending for () {
    fn ending(self) -> Result<(), String> {
        Ok(())
    }
}

impl<T, E: fmt::Debug> Ending for Result<T, E> {}
impl<T, E: fmt::Debug> sealed::Ending for Result<T, E> {
    fn ending(self) -> Result<(), String> {
        self.map(drop).map_err(|error| format!("{error:?}"))
    }
}
