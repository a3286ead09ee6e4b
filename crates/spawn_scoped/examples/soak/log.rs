//! A subscriber of the log is foreign code as well.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};

use tracing::{Event, Metadata, Subscriber, span};

use crate::trees::Expected;

/// Reads every line of the log, whose texts are foreign, and panics at some.
pub(crate) struct Log;

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // Not the debug lines of tokio and mio.
        metadata.target().starts_with("spawn_scoped") || metadata.target().starts_with("tokio_ctx")
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        static LINES: AtomicUsize = AtomicUsize::new(0);
        let mut text = String::new();
        event.record(
            &mut |field: &tracing::field::Field, value: &dyn fmt::Debug| {
                text += &format!("{field}={value:?} ");
            },
        );
        assert!(!text.contains('\n'), "a line of the log in two: {text}");
        if LINES.fetch_add(1, Ordering::Relaxed) % 97 == 0 && !std::thread::panicking() {
            std::panic::panic_any(Expected);
        }
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}
