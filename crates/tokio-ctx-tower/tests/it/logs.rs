//! What is printed, and what never is.

use std::fmt;
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber, span};
use tracing_subscriber::layer::{Context as LayerContext, Layer, SubscriberExt};

use crate::stage::{Stage, ask, send};

/// Every event and span of this crate and the two below, as one text.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<String>>);

impl Visit for Log {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0
            .lock()
            .unwrap()
            .push_str(&format!(" {field}={value:?}"));
    }
}

impl<S: Subscriber> Layer<S> for Log {
    fn on_event(&self, event: &Event<'_>, _: LayerContext<'_, S>) {
        if ["tokio_ctx", "spawn_scoped"]
            .iter()
            .any(|ours| event.metadata().target().starts_with(ours))
        {
            self.0.lock().unwrap().push('\n');
            event.record(&mut self.clone());
        }
    }

    fn on_new_span(&self, span: &span::Attributes<'_>, _: &span::Id, _: LayerContext<'_, S>) {
        span.record(&mut self.clone());
    }
}

const SECRET: &str = "hunter2";

/// Requests that leave a line each, and what the layer says afterwards.
async fn play() -> (u64, String) {
    let mut stage = Stage::start().await;

    let twice = format!("{SECRET}{SECRET}");
    let long = SECRET.repeat(1024);
    for headers in [
        // Read, ignored for each reason there is, and not even looked at.
        [("x-token", SECRET), ("x-shop", "17")],
        [("x-token", &long), ("x-shop", SECRET)],
        [("x-token", SECRET), ("x-token", &twice)],
        [("grpc-timeout", SECRET), ("x-timeout-ms", SECRET)],
        [("traceparent", SECRET), ("baggage", SECRET)],
        [("x-unlisted", SECRET), ("baggage", "plan=hunter2")],
    ] {
        assert_eq!(ask(stage.address, "GET /look", &headers).await.status, 200);
    }
    // What ends in every way leaves a line as well.
    stage.forget();
    let client = send(stage.address, "GET /hang", &[("x-token", SECRET)]).await;
    stage.started().await;
    drop(client);
    stage.stopped().await;
    let headers = [("x-token", SECRET), ("x-timeout-ms", "5")];
    assert_eq!(ask(stage.address, "GET /late", &headers).await.status, 504);
    crate::stage::try_ask(stage.address, "GET /scoped/panic", &[("x-token", SECRET)]).await;
    let ignored = stage.layer.ignored_headers();
    let described = format!("{:?}", stage.layer);
    stage.shut_down().await;
    (ignored, described)
}

#[tokio::test]
async fn no_value_that_did_not_opt_in_is_printed() {
    // Unheard: tracing remembers for each line of code whether anybody listens, and a line that
    // another test reaches for the first time just now would be remembered as unheard.
    play().await;

    let log = Log::default();
    let subscriber = tracing_subscriber::registry().with(log.clone());
    let _default = tracing::subscriber::set_default(subscriber);
    let (ignored, described) = play().await;

    let log = log.0.lock().unwrap();
    assert!(
        !log.contains(SECRET) && !described.contains(SECRET),
        "{log}"
    );
    let reported = log
        .lines()
        .filter(|line| line.contains("ignored a header"))
        .count();
    assert_eq!(reported as u64, ignored, "{log}");
    assert_eq!(ignored, 7);
    // A hang-up and a deadline leave one line each, which says of which request.
    for what in ["the client went away", "a request had not ended"] {
        let lines: Vec<_> = log.lines().filter(|line| line.contains(what)).collect();
        assert_eq!(lines.len(), 1, "{log}");
        for part in ["method=GET", "path=\"/", "age_ms=", "why="] {
            assert!(lines[0].contains(part), "{lines:?}");
        }
    }
    assert!(log.contains("header=x-shop"), "{log}");
}
