//! The audit log, second attempt: closed under the lock by which lines come in.

use tokio::sync::Notify;
use tokio_ctx::Context;

use crate::sync::Mutex;

/// Lines on their way to the store.
#[derive(Debug)]
pub struct AuditLog {
    /// `None` once the worker took the last ones.
    pending: Mutex<Option<Vec<&'static str>>>,
    stored: Mutex<Vec<&'static str>>,
    bell: Notify,
}

impl AuditLog {
    /// Takes a line, unless the log is closed. Returns whether it did: then it will be stored.
    pub fn write(&self, line: &'static str) -> bool {
        match &mut *self.pending.lock().unwrap() {
            Some(pending) => pending.push(line),
            None => return false,
        }
        self.bell.notify_one();
        true
    }

    /// Stores lines until the context ends, and then those that are left.
    pub async fn work(&self, ctx: &Context) {
        loop {
            tokio::select! {
                biased;
                _ = ctx.done() => break,
                () = self.bell.notified() => {
                    let lines = self.pending.lock().unwrap().as_mut().map(std::mem::take);
                    self.store(lines);
                }
            }
        }
        let last = self.pending.lock().unwrap().take();
        self.store(last);
    }

    fn store(&self, lines: Option<Vec<&'static str>>) {
        let mut stored = self.stored.lock().unwrap();
        stored.extend(lines.into_iter().flatten());
    }

    /// What was stored.
    pub fn stored(&self) -> Vec<&'static str> {
        self.stored.lock().unwrap().clone()
    }
}

impl Default for AuditLog {
    fn default() -> AuditLog {
        AuditLog {
            pending: Mutex::new(Some(Vec::new())),
            stored: Mutex::new(Vec::new()),
            bell: Notify::new(),
        }
    }
}
