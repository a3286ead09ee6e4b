//! The trace id: a typed key on the context, and the log lines that carry it.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use tokio_ctx::Context;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Level, Metadata, Span, Subscriber};
use tracing_subscriber::layer::{Context as LayerContext, Layer};
use tracing_subscriber::registry::LookupSpan;

use crate::timeline::Timeline;

tokio_ctx::key! {
    /// The id that the client chose for its request, from the header `x-trace-id`.
    pub TraceId: String, print
}

/// The span of the request that `ctx` belongs to: log lines inside it carry its trace id.
///
/// A thread that works for a request enters it; so a line needs no mention of the id.
///
/// # Examples
///
/// ```
/// use examples::trace::{self, TraceId};
/// use tokio_ctx::Context;
///
/// let ctx = Context::background().with_value::<TraceId>("act-1".to_owned());
/// let logged = trace::span(&ctx).in_scope(|| ctx.value::<TraceId>().cloned());
/// assert_eq!(logged.as_deref(), Some("act-1"));
/// ```
#[must_use]
pub fn span(ctx: &Context) -> Span {
    match ctx.value::<TraceId>() {
        Some(id) => tracing::info_span!("request", trace_id = id.as_str()),
        None => Span::none(),
    }
}

/// Prints log lines on a [`Timeline`], each with the trace id of its request.
///
/// # Examples
///
/// ```
/// use examples::{timeline::Timeline, trace::LogLayer};
/// use std::sync::Arc;
/// use tracing_subscriber::layer::SubscriberExt as _;
///
/// let lines = Arc::new(Timeline::in_memory());
/// let log = tracing_subscriber::registry().with(LogLayer::new(Arc::clone(&lines)));
/// tracing::subscriber::with_default(log, || {
///     let _request = tracing::info_span!("request", trace_id = "act-1").entered();
///     tracing::warn!("three queries started");
/// });
/// assert!(lines.text().contains("[act-1] three queries started"));
/// ```
#[derive(Debug)]
pub struct LogLayer {
    timeline: Arc<Timeline>,
}

impl LogLayer {
    /// Makes a layer that prints on `timeline`.
    #[must_use]
    pub fn new(timeline: Arc<Timeline>) -> LogLayer {
        LogLayer { timeline }
    }
}

impl<S> Layer<S> for LogLayer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn enabled(&self, metadata: &Metadata<'_>, _: LayerContext<'_, S>) -> bool {
        // Libraries are heard when they warn; the service itself tells a little more, and the
        // spans are what the trace ids hang on.
        let own = metadata.is_span() || metadata.target().starts_with("examples");
        *metadata.level() <= if own { Level::INFO } else { Level::WARN }
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, ctx: LayerContext<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let (Some(span), Some(trace)) = (ctx.span(id), fields.trace) {
            span.extensions_mut().insert(Trace(trace));
        }
    }

    fn on_event(&self, event: &Event<'_>, ctx: LayerContext<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        // What a query fails with is in its own line, and a panic in that of the hook: a scope
        // that tells of them tells of them again.
        if fields.is_failure && event.metadata().target().starts_with("spawn_scoped") {
            return;
        }
        let mut line = String::new();
        let trace = ctx.event_scope(event).and_then(|mut spans| {
            spans.find_map(|span| {
                span.extensions()
                    .get::<Trace>()
                    .map(|trace| trace.0.clone())
            })
        });
        if let Some(trace) = trace.or(fields.trace) {
            // Writing to a string cannot fail.
            let _ = write!(line, "[{trace}] ");
        }
        line.push_str(&fields.message);
        self.timeline.line("server", &line);
    }
}

struct Trace(String);

#[derive(Default)]
struct Fields {
    trace: Option<String>,
    message: String,
    is_failure: bool,
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "trace_id" => self.trace = Some(value.to_owned()),
            _ => self.record_debug(field, &format_args!("{value}")),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.is_failure |= matches!(field.name(), "error" | "panic");
        // One short line for each event: of a library's fields, only what it is about.
        // Writing to a string cannot fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            "error" | "straggler" | "task" => write!(self.message, ": {value:?}"),
            _ => Ok(()),
        };
    }
}
