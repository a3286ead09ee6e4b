//! Statics.

/// A static that is made when first asked for.
macro_rules! global {
    ($(#[$attr:meta])* static $name:ident: $type:ty = $init:expr;) => {
        $(#[$attr])*
        static $name: ::std::sync::LazyLock<$type> = ::std::sync::LazyLock::new(|| $init);
    };
}
pub(crate) use global;
