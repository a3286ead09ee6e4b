//! What a task may return: [`TaskOutput`] and [`IsolatedOutput`].

use std::any::Any;
use std::fmt::Display;

/// What a task of a scope with the error type `E` may return: `Result<T, E>`, or `()`.
///
/// A task that cannot fail returns nothing, and needs no `Ok(())`.
/// The trait is sealed: no other type implements it.
///
/// # Examples
///
/// ```
/// use tokio_ctx::{Cancelled, Context, scope};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Cancelled> {
/// scope(&Context::background(), async |s| {
///     let nothing: () = s.spawn(async |_| ()).await?;
///     let seven: u8 = s.spawn(async |_| Ok::<_, Cancelled>(7)).await?;
///     assert_eq!((nothing, seven), ((), 7));
///     Ok(())
/// })
/// .await
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "a task of this scope must return `Result<_, {E}>` or `()`, not `{Self}`",
    label = "the task returns `{Self}`, and the scope's error type is `{E}`",
    note = "turn another error into the scope's with `?` or `map_err`, and end the task with `Ok(..)`"
)]
pub trait TaskOutput<E>: sealed::Sealed {
    /// What awaiting the task gives.
    type Value;

    /// The output as a result.
    ///
    /// # Errors
    ///
    /// The error that the task returned.
    fn into_result(self) -> Result<Self::Value, E>;
}

impl<T, E> TaskOutput<E> for Result<T, E> {
    type Value = T;

    #[inline]
    fn into_result(self) -> Result<T, E> {
        self
    }
}

impl<E> TaskOutput<E> for () {
    type Value = ();

    #[inline]
    fn into_result(self) -> Result<(), E> {
        Ok(())
    }
}

/// A task that never returns: an endless loop, or `todo!()` for now.
impl<E> TaskOutput<E> for Never {
    type Value = ();

    fn into_result(self) -> Result<(), E> {
        self
    }
}

/// What an isolated task may return: `()`, or a `Result` whose error can be printed.
///
/// An error that is not awaited is logged, so it must implement `Display`.
/// The trait is sealed: no other type implements it.
#[diagnostic::on_unimplemented(
    message = "an isolated task must return `()` or a `Result` whose error can be printed, not `{Self}`",
    label = "the task returns `{Self}`",
    note = "an error that nobody awaits is logged, so the error type must implement `Display`",
    note = "wrap another output in `Ok::<_, std::convert::Infallible>(..)`"
)]
pub trait IsolatedOutput: sealed::Sealed {
    /// The error in words, if there is one.
    fn failure(&self) -> Option<String>;
}

impl IsolatedOutput for () {
    fn failure(&self) -> Option<String> {
        None
    }
}

/// A task that never returns.
impl IsolatedOutput for Never {
    fn failure(&self) -> Option<String> {
        None
    }
}

impl<T, X: Display> IsolatedOutput for Result<T, X> {
    fn failure(&self) -> Option<String> {
        self.as_ref().err().map(ToString::to_string)
    }
}

/// What tasks of a [`Scope`](crate::Scope) and of a [`Spawner`](crate::Spawner) may return: of the
/// one a [`TaskOutput`] of its error type, of the other an [`IsolatedOutput`].
pub trait Spawns<O> {
    /// What awaiting the task gives.
    type Value;

    /// The value, or an error that concerns the scope.
    #[doc(hidden)]
    fn value_of(output: O) -> Result<Self::Value, Box<dyn Any + Send>>;

    /// The error in words, if it concerns only the code that awaits the task.
    #[doc(hidden)]
    fn failure(_output: &O) -> Option<String> {
        None
    }
}

use sealed::Never;

mod sealed {
    pub trait Sealed {}
    impl Sealed for () {}
    impl Sealed for Never {}
    impl<T, E> Sealed for Result<T, E> {}

    /// The type `!`, which has no name of its own outside of a function's signature yet.
    pub(crate) type Never = <fn() -> ! as Returns>::Output;

    pub trait Returns {
        type Output;
    }

    impl<T> Returns for fn() -> T {
        type Output = T;
    }
}
