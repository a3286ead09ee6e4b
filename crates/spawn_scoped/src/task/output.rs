//! What a task may return: [`TaskOutput`].

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

pub(crate) use sealed::Never;

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
