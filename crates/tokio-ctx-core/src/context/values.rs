//! Values.

use std::fmt;

use super::Context;
use crate::key::Key;
use crate::one_line::OneLine;
use crate::value;

/// Values.
impl Context {
    /// These lifetime and values with one more value, which hides an ancestor's of the same
    /// key.
    ///
    /// Go: `context.WithValue`.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Context, key};
    ///
    /// key! { Item: usize }
    ///
    /// let batch = Context::background();
    /// let items: Vec<Context> = (0..3).map(|id| batch.with_value::<Item>(id)).collect();
    /// assert_eq!(items[2].value::<Item>(), Some(&2));
    /// assert_eq!(batch.value::<Item>(), None);
    /// ```
    #[must_use]
    pub fn with_value<K: Key>(&self, value: K::Value) -> Context {
        Context {
            lifetime: self.lifetime.clone(),
            values: value::with_value::<K>(&self.values, value),
        }
    }

    /// These lifetime and values with the value of `K` hidden.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Context, key};
    ///
    /// key! { User: u32 }
    ///
    /// let ctx = Context::background().with_value::<User>(7);
    /// assert_eq!(ctx.without_value::<User>().value::<User>(), None);
    /// assert_eq!(ctx.value::<User>(), Some(&7));
    /// ```
    #[must_use]
    pub fn without_value<K: Key>(&self) -> Context {
        Context {
            lifetime: self.lifetime.clone(),
            values: value::without_value::<K>(&self.values),
        }
    }

    /// The nearest value of `K`, or `None`: absence is ordinary.
    ///
    /// A key that is absent is usually refused by one comparison; otherwise the cost grows
    /// with the number of values above.
    ///
    /// Go: `ctx.Value`.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Context, key};
    ///
    /// key! { User: u32 }
    ///
    /// assert_eq!(Context::background().value::<User>(), None);
    /// assert_eq!(Context::background().with_value::<User>(7).value::<User>(), Some(&7));
    /// ```
    #[must_use]
    pub fn value<K: Key>(&self) -> Option<&K::Value> {
        value::value::<K>(&self.values)
    }

    /// The values that may be printed, by the names of their keys, nearest first.
    ///
    /// For log lines and spans: each text is one line, with control characters escaped. A value
    /// whose key did not opt in is not among them.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Context, key};
    ///
    /// key! {
    ///     TraceId: u32, print;
    ///     Password: String;
    /// }
    ///
    /// let ctx = Context::background()
    ///     .with_value::<TraceId>(7)
    ///     .with_value::<Password>("hunter2".into());
    /// let shown: Vec<String> = ctx
    ///     .printable_values()
    ///     .map(|(name, value)| format!("{name}={value}"))
    ///     .collect();
    /// assert_eq!(shown, ["TraceId=7"]);
    /// ```
    pub fn printable_values(&self) -> impl Iterator<Item = (&'static str, impl fmt::Display)> {
        value::visible(&self.values)
            .map(value::Entry::shown)
            .filter_map(|(name, value)| Some((name, OneLine(value?))))
    }
}
