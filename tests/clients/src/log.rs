//! What became of each request, by the id that its client chose.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio_ctx::{Cancelled, Context};

/// How long to wait for a line that may never come.
const PATIENCE: Duration = Duration::from_secs(8);

/// The requests that began, and how they ended.
#[derive(Clone, Default)]
pub(crate) struct Log {
    requests: Arc<Mutex<HashMap<String, Requests>>>,
    changed: Arc<Notify>,
}

/// The requests of one id.
#[derive(Clone, Default)]
struct Requests {
    began: usize,
    ended: Vec<Value>,
}

impl Log {
    /// Takes note of a request, and of its end when that comes.
    pub(crate) fn watch(&self, ctx: &Context, id: &str) {
        self.change(id, |requests| requests.began += 1);
        let (log, id) = (self.clone(), id.to_owned());
        ctx.on_cancel(move |why| log.ended(&id, why)).disarm();
    }

    fn ended(&self, id: &str, why: &Cancelled) {
        let ended = json!({
            "reason": format!("{:?}", why.reason()),
            "why": why.to_string(),
            "at": now_ms(),
        });
        self.change(id, |requests| requests.ended.push(ended));
    }

    fn change(&self, id: &str, change: impl FnOnce(&mut Requests)) {
        let mut all = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        change(all.entry(id.to_owned()).or_default());
        drop(all);
        self.changed.notify_waiters();
    }

    /// Waits until a request of that id has begun.
    pub(crate) async fn wait_began(&self, id: &str) -> bool {
        self.wait(id, |requests| requests.began > 0).await
    }

    /// Waits until all requests of that id have ended, and says how.
    pub(crate) async fn wait_ended(&self, id: &str) -> Vec<Value> {
        self.wait(id, |requests| requests.ended.len() == requests.began)
            .await;
        self.of(id).ended
    }

    /// The ends of all requests, by id.
    pub(crate) fn to_json(&self) -> Value {
        let all = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let ended = all
            .iter()
            .map(|(id, requests)| (id.clone(), Value::from(requests.ended.clone())));
        ended.collect::<serde_json::Map<_, _>>().into()
    }

    async fn wait(&self, id: &str, is_so: impl Fn(&Requests) -> bool) -> bool {
        let waited = tokio::time::timeout(PATIENCE, async {
            loop {
                let changed = self.changed.notified();
                if is_so(&self.of(id)) {
                    return;
                }
                changed.await;
            }
        });
        waited.await.is_ok()
    }

    fn of(&self, id: &str) -> Requests {
        let all = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(id).cloned().unwrap_or_default()
    }
}

/// The time as the clients print it.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as u64)
}
