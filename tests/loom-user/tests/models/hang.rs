//! Waiting for ever: loom reports a deadlock. That may abort the process, so the faulty one is
//! explored in a process of its own.

use std::env;
use std::process::Command;
use std::sync::Arc;

use loom::thread;
use loom_user::turnstile::Turnstile;
use tokio_ctx::{Context, model};

const FAULTY: &str = "EXPLORE_THE_FAULTY_TURNSTILE";

fn explore_hasty_turnstile() {
    loom::model(|| {
        let ctx = Context::background().with_cancel();
        let turnstile = Arc::new(Turnstile::default());
        let opener = thread::spawn({
            let turnstile = Arc::clone(&turnstile);
            move || turnstile.open()
        });
        // Nobody cancels: a second rescuer would hide the fault.
        assert!(model::block_on(turnstile.pass_hastily(&ctx)).is_ok());
        opener.join().unwrap();
    });
}

#[test]
fn hasty_turnstile_keeps_somebody_waiting() {
    if env::var_os(FAULTY).is_some() {
        return explore_hasty_turnstile();
    }
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", "--nocapture"])
        .arg("models::hang::hasty_turnstile_keeps_somebody_waiting")
        .env(FAULTY, "1")
        .output()
        .unwrap();
    let report = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "loom found nothing");
    assert!(report.contains("deadlock"), "{report}");
}

#[test]
fn turnstile_lets_everybody_through() {
    loom::model(|| {
        let ctx = Context::background().with_cancel();
        let turnstile = Arc::new(Turnstile::default());
        let opener = thread::spawn({
            let turnstile = Arc::clone(&turnstile);
            move || turnstile.open()
        });
        assert!(model::block_on(turnstile.pass(&ctx)).is_ok());
        opener.join().unwrap();
    });
}

#[test]
fn turnstile_lets_go_of_who_is_cancelled() {
    loom::model(|| {
        let ctx = Context::background().with_cancel();
        let turnstile = Arc::new(Turnstile::default());
        let visitor = thread::spawn({
            let (turnstile, ctx) = (Arc::clone(&turnstile), Context::clone(&ctx));
            move || model::block_on(turnstile.pass(&ctx))
        });
        ctx.cancel_with("closing time");
        let refused = visitor.join().unwrap().unwrap_err();
        assert!(refused.to_string().contains("closing time"));
    });
}
