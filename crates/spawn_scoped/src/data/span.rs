//! How a task relates to the tracing span it is spawned in.

use std::fmt;

use tokio_ctx_core::Context;
use tracing::Span;
use tracing::level_filters::LevelFilter;

use crate::data::entry::Who;

/// How a task relates to the tracing span that is current where it is spawned.
///
/// A span lives until everything inside it is done. A task that outlives its request by
/// design should not hold the request's span open: give it [`FollowsFrom`](Self::FollowsFrom).
///
/// # Examples
///
/// ```
/// use tokio_ctx::SpanPolicy;
/// assert_eq!(SpanPolicy::default(), SpanPolicy::Inherit);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SpanPolicy {
    /// The task runs in that very span.
    #[default]
    Inherit,
    /// The task runs in a span of its own inside that one. It has the task's name, the line
    /// that spawned it and the context's printable values.
    Child,
    /// The task runs in a span of its own with the same fields, which follows from that one
    /// and does not keep it open.
    FollowsFrom,
    /// The task runs in no span.
    None,
}

impl SpanPolicy {
    /// Whether no subscriber reads spans.
    #[inline]
    pub(crate) fn is_moot() -> bool {
        LevelFilter::current() == LevelFilter::OFF
    }

    /// The span to run `who` in.
    pub(crate) fn make_span(self, who: &Who, ctx: &Context) -> Option<Span> {
        let span = match self {
            SpanPolicy::Inherit => Span::current(),
            SpanPolicy::Child => tracing::info_span!(
                "task",
                name = who.name(),
                spawned_at = %who.location,
                ctx = %Printable(ctx),
            ),
            SpanPolicy::FollowsFrom => {
                let span = tracing::info_span!(
                    parent: None,
                    "task",
                    name = who.name(),
                    spawned_at = %who.location,
                    ctx = %Printable(ctx),
                );
                span.follows_from(Span::current());
                span
            }
            SpanPolicy::None => return None,
        };
        (!span.is_disabled()).then_some(span)
    }
}

/// The values that opted in to being printed: a log line inside the span has the trace id.
struct Printable<'a>(&'a Context);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, value)) in self.0.printable_values().enumerate() {
            let gap = if index == 0 { "" } else { " " };
            write!(f, "{gap}{name}={value}")?;
        }
        Ok(())
    }
}
