//! Keys of context values: types, not strings.

use std::fmt;

/// A key under which a [`Context`](crate::Context) carries a value.
///
/// A key is a type of your own, so two crates cannot collide, and a value cannot come back as
/// the wrong type. Code that can name the key can read the value: a private key type with a
/// public pair of functions makes a value that only its author can set.
/// [`key!`](crate::key!) writes the implementation.
///
/// Values inform, they never control: keep them few, small and immutable (an id, a tenant, a
/// verified user), and hand everything a function needs to do its work to it as a parameter.
///
/// # Examples
///
/// An author's pair of functions over a private key:
///
/// ```
/// mod auth {
///     use tokio_ctx::{Context, key};
///
///     #[derive(Debug, PartialEq)]
///     pub struct User(pub u32);
///
///     key! { UserKey: User }
///
///     pub fn with_user(ctx: &Context, user: User) -> Context {
///         ctx.with_value::<UserKey>(user)
///     }
///
///     pub fn user(ctx: &Context) -> Option<&User> {
///         ctx.value::<UserKey>()
///     }
/// }
///
/// let ctx = auth::with_user(&tokio_ctx::Context::background(), auth::User(7));
/// assert_eq!(auth::user(&ctx), Some(&auth::User(7)));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no key of context values",
    label = "not a key",
    note = "keys are types of their own, declared with `key! {{ Name: Type }}`"
)]
pub trait Key: 'static {
    /// The type of the value.
    type Value: Send + Sync + 'static;

    /// How the key is called where people read it. Names may collide; keys do not.
    const NAME: &'static str;

    /// Whether the value stays when work is detached from its request, by
    /// [`without_cancel`](crate::Context::without_cancel) or
    /// [`detach_onto`](crate::Context::detach_onto). Say `false` for what must end with the
    /// request, such as an open transaction: it is then neither seen nor kept alive below.
    const SURVIVES_DETACH: bool = true;

    /// What may be printed of the value, by `Debug` of the context and by tracing.
    ///
    /// `None`, the default, prints nothing but the name.
    fn display(value: &Self::Value) -> Option<&dyn fmt::Display> {
        let _ = value;
        None
    }
}

/// Declares types that implement [`Key`].
///
/// Each declaration is `Name: Type`, with a visibility and attributes in front and, behind a
/// comma, `print` to allow the value to be printed and `request_only` to leave it behind
/// when work is detached.
///
/// # Examples
///
/// ```
/// use tokio_ctx::{Context, key};
///
/// key! {
///     /// The id that ties log lines together.
///     pub TraceId: String, print;
///     pub SessionSecret: String;
///     pub Transaction: u64, request_only;
/// }
///
/// let ctx = Context::background()
///     .with_value::<TraceId>("4bf92f".into())
///     .with_value::<SessionSecret>("hunter2".into())
///     .with_value::<Transaction>(1);
///
/// assert_eq!(ctx.value::<TraceId>().map(String::as_str), Some("4bf92f"));
/// assert_eq!(
///     format!("{ctx:?}"),
///     "background > value(TraceId=4bf92f) > value(SessionSecret) > value(Transaction)"
/// );
/// assert_eq!(ctx.without_cancel().value::<Transaction>(), None);
/// ```
#[macro_export]
macro_rules! key {
    ($($(#[$attr:meta])* $vis:vis $name:ident : $value:ty $(, $option:ident)*);+ $(;)?) => {
        $(
            $(#[$attr])*
            // Never constructed: a key is only ever named.
            $vis enum $name {}

            impl $crate::Key for $name {
                type Value = $value;
                const NAME: &'static str = ::core::stringify!($name);
                $($crate::key!(@option $option);)*
            }
        )+
    };
    (@option print) => {
        fn display(value: &Self::Value) -> ::core::option::Option<&dyn ::core::fmt::Display> {
            ::core::option::Option::Some(value)
        }
    };
    (@option request_only) => {
        const SURVIVES_DETACH: bool = false;
    };
}
