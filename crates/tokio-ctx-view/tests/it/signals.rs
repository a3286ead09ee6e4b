//! What `kill -QUIT` does.

use std::process::{Command, id};
use std::sync::{Arc, Mutex};

use tokio_ctx::Context;
use tokio_ctx::view::dump_on_signal;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context as LayerContext, SubscriberExt as _};

use crate::stage::TURN;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<String>>);

impl Visit for Log {
    fn record_debug(&mut self, _: &Field, value: &dyn std::fmt::Debug) {
        self.0.lock().unwrap().push_str(&format!("{value:?}\n"));
    }
}

impl<S: Subscriber> Layer<S> for Log {
    fn on_event(&self, event: &Event<'_>, _: LayerContext<'_, S>) {
        event.record(&mut self.clone());
    }
}

#[tokio::test]
async fn a_signal_writes_what_runs_to_the_log() {
    let _turn = TURN.lock().await;
    let log = Log::default();
    let _default =
        tracing::subscriber::set_default(tracing_subscriber::registry().with(log.clone()));
    let ctx = Context::background().with_cancel();
    dump_on_signal(&ctx).unwrap();
    let status = Command::new("kill")
        .args(["-QUIT", &id().to_string()])
        .status();
    assert!(status.unwrap().success());
    let dumped = async {
        while !log.0.lock().unwrap().contains("SCOPES AND TASKS") {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), dumped)
        .await
        .unwrap();
}
