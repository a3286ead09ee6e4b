#![cfg(loom)]

use std::sync::Arc;

use loom::thread;
use loom_user::steady::AuditLog;
use tokio_ctx::{Context, model};

#[test]
fn what_is_taken_is_stored() {
    loom::model(|| {
        let ctx = Context::background().with_cancel();
        let log = Arc::new(AuditLog::default());

        let worker = thread::spawn({
            let (log, ctx) = (Arc::clone(&log), Context::clone(&ctx));
            move || model::block_on(log.work(&ctx))
        });
        let request = thread::spawn({
            let log = Arc::clone(&log);
            move || log.write("alice logged in")
        });
        ctx.cancel();

        let was_taken = request.join().unwrap();
        worker.join().unwrap();
        if was_taken {
            assert_eq!(log.stored(), ["alice logged in"]);
        }
    });
}
