//! The audit log, first attempt.

use tokio::sync::Notify;
use tokio_ctx::Context;

use crate::sync::Mutex;

/// Lines on their way to the store.
#[derive(Debug)]
pub struct AuditLog {
    pending: Mutex<Vec<&'static str>>,
    stored: Mutex<Vec<&'static str>>,
    bell: Notify,
}

impl AuditLog {
    /// Takes a line, unless the server stops. Returns whether it did: then it will be stored.
    pub fn write(&self, ctx: &Context, line: &'static str) -> bool {
        if ctx.is_done() {
            return false;
        }
        self.pending.lock().unwrap().push(line);
        self.bell.notify_one();
        true
    }

    /// Stores lines until the context ends, and then those that are left.
    pub async fn work(&self, ctx: &Context) {
        loop {
            tokio::select! {
                biased;
                _ = ctx.done() => break,
                () = self.bell.notified() => self.store(),
            }
        }
        self.store();
    }

    fn store(&self) {
        let lines = std::mem::take(&mut *self.pending.lock().unwrap());
        self.stored.lock().unwrap().extend(lines);
    }

    /// What was stored.
    pub fn stored(&self) -> Vec<&'static str> {
        self.stored.lock().unwrap().clone()
    }
}

impl Default for AuditLog {
    fn default() -> AuditLog {
        AuditLog {
            pending: Mutex::new(Vec::new()),
            stored: Mutex::new(Vec::new()),
            bell: Notify::new(),
        }
    }
}
