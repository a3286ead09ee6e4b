//! What a model checker needs besides: statics of one execution, and panics on purpose.

/// What a static of one execution is wrapped in. shuttle drops statics when the
/// execution is over, and then nothing of its may be touched: they are kept.
/// loom drops them inside of it, and would report what is not dropped; those of a
/// model that panicked it drops outside.
#[cfg(loom)]
pub(crate) struct Kept<T>(Option<T>);
#[cfg(all(shuttle, not(loom)))]
pub(crate) type Kept<T> = std::mem::ManuallyDrop<T>;

#[cfg(loom)]
impl<T> Kept<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Some(value))
    }
}

#[cfg(loom)]
impl<T> std::ops::Deref for Kept<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_ref().expect("only its drop takes it")
    }
}

#[cfg(loom)]
impl<T> Drop for Kept<T> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            std::mem::forget(self.0.take());
        }
    }
}

/// Twin of the native one: one value per explored execution.
macro_rules! global {
    ($(#[$attr:meta])* static $name:ident: $type:ty = $init:expr;) => {
        $crate::sync::platform::lazy_static! {
            $(#[$attr])*
            static ref $name: $crate::sync::modelled::Kept<$type> = $crate::sync::modelled::Kept::new($init);
        }
    };
}
pub(crate) use global;

/// The payload of a panic that a model throws on purpose, with
/// [`std::panic::resume_unwind`], which prints nothing.
///
/// A scope treats it as it treats every panic outside of models: it cancels the siblings, joins
/// them, and resumes the panic in the code that awaits the scope. Any other panic in a model is a
/// finding, and ends it at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Panic(
    /// To tell several apart.
    pub u32,
);
