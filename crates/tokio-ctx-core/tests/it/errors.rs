//! `Cancelled` on its way through other people's error types.

use std::error::Error;
use std::io;
use std::time::Duration;

use tokio_ctx_core::{Cancelled, Context, Reason};

fn ended() -> Context {
    let ctx = Context::background().with_cancel();
    ctx.cancel_with(io::Error::other("disk full"));
    ctx.disarm()
}

#[test]
fn it_survives_anyhow() {
    use anyhow::Context as _;

    fn work(ctx: &Context) -> anyhow::Result<()> {
        ctx.check().context("while saving")?;
        Ok(())
    }

    let error = work(&ended()).unwrap_err();
    let cancelled = error
        .downcast_ref::<Cancelled>()
        .expect("it is still inside");
    assert_eq!(cancelled.reason(), Reason::Cancelled);
    let chain: Vec<String> = error.chain().map(ToString::to_string).collect();
    assert_eq!(chain.len(), 3);
    assert_eq!(
        (chain[0].as_str(), chain[2].as_str()),
        ("while saving", "disk full")
    );
    assert!(error.root_cause().downcast_ref::<io::Error>().is_some());
}

#[test]
fn it_survives_a_boxed_error() {
    fn work(ctx: &Context) -> Result<(), Box<dyn Error + Send + Sync>> {
        ctx.check()?;
        Ok(())
    }
    fn local(ctx: &Context) -> Result<(), Box<dyn Error>> {
        ctx.check()?;
        Ok(())
    }

    let error = work(&ended()).unwrap_err();
    assert!(error.downcast_ref::<Cancelled>().is_some());
    let error = local(&ended()).unwrap_err();
    assert!(error.downcast_ref::<Cancelled>().is_some());
}

#[test]
fn it_is_a_variant_of_an_enum() {
    #[derive(Debug, thiserror::Error)]
    enum SaveError {
        #[error("not saved: {0}")]
        Stopped(#[from] Cancelled),
        #[error(transparent)]
        Io(#[from] io::Error),
    }

    fn work(ctx: &Context) -> Result<(), SaveError> {
        ctx.check()?;
        Err(io::Error::other("not reached").into())
    }

    let error = work(&ended()).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("not saved: cancelled: disk full")
    );
    let SaveError::Stopped(cancelled) = &error else {
        panic!("{error:?}")
    };
    assert!(cancelled.cause::<io::Error>().is_some());
    let source = error.source().expect("the variant has one");
    assert!(source.downcast_ref::<Cancelled>().is_some());
}

#[test]
fn it_becomes_an_io_error_of_the_right_kind() {
    fn work(ctx: &Context) -> io::Result<()> {
        ctx.check()?;
        Ok(())
    }

    let error = work(&ended()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::Interrupted);
    let late = Context::background().with_timeout(Duration::ZERO);
    let error = work(&late).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    let inner = error
        .get_ref()
        .expect("it is inside")
        .downcast_ref::<Cancelled>();
    assert_eq!(inner.expect("it is inside").reason(), Reason::Deadline);
}

#[test]
fn only_deadlines_and_budgets_are_timeouts() {
    use tokio_ctx_core::owner;
    let place = std::panic::Location::caller();
    for (reason, is_timeout) in [
        (Reason::Deadline, true),
        (Reason::BudgetExhausted, true),
        (Reason::Cancelled, false),
        (Reason::GuardDropped, false),
        (Reason::Token, false),
        (Reason::CallerGone, false),
        (Reason::Signal, false),
    ] {
        let cancelled = owner::cancelled(reason, place, None);
        assert_eq!(cancelled.is_timeout(), is_timeout, "{reason:?}");
    }
}

#[test]
fn the_chain_of_sources_is_walked_to_its_end() {
    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] io::Error);

    let ctx = Context::background().with_cancel();
    ctx.cancel_with(Outer(io::Error::other("inner")));
    let cancelled = ctx.err().expect("it ended");
    let mut texts = Vec::new();
    let mut next: Option<&(dyn Error + 'static)> = Some(&cancelled);
    while let Some(error) = next {
        texts.push(error.to_string());
        next = error.source();
    }
    assert_eq!(texts[1..], ["outer", "inner"]);
    assert!(cancelled.cause::<Outer>().is_some());
}

#[test]
fn a_cancelled_may_be_the_cause_of_another() {
    let first = ended();
    let second = Context::background().with_cancel();
    second.cancel_with(first.err().expect("it ended"));
    let cancelled = second.err().expect("it ended");
    let cause = cancelled.cause::<Cancelled>().expect("given");
    assert_eq!(cause.location(), first.err().expect("it ended").location());
}

#[test]
fn clones_outlive_the_context_and_stay_the_same() {
    let ctx = ended();
    let cancelled = ctx.err().expect("it ended");
    let clone = cancelled.clone();
    drop((ctx, cancelled));
    assert!(clone.to_string().starts_with("cancelled: disk full"));
    assert!(std::thread::spawn(move || clone.to_string()).join().is_ok());
}

#[test]
fn the_drop_of_a_cause_that_panics_reaches_nobody_who_knew_of_the_end() {
    #[derive(Debug, thiserror::Error)]
    #[error("a cause")]
    struct Bomb;

    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("on purpose");
        }
    }

    let ctx = Context::background().with_cancel();
    ctx.cancel_with(Bomb);
    let cancelled = ctx.err().expect("it ended");
    drop(ctx);
    let clone = cancelled.clone();
    drop(cancelled);
    let last = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(clone)));
    assert!(last.is_ok());
}
