//! Promise 20: a real error beats "I was cancelled", whichever came first.

use std::error::Error;
use std::fmt;
use std::io;

use spawn_scoped::{ScopeOptions, scope};
use tokio_ctx_core::{Cancelled, Context, Reason};

use crate::settings::promise;
use crate::support::{AppError, Doomed, Started, on_both, on_one_thread};

type Boxed = Box<dyn Error + Send + Sync>;

promise!(promise_20_a_real_error_beats_i_was_cancelled: real_error, real_error_before_a_shutdown);

/// After the parent's end, one task returns its `Cancelled` with `?` and another fails to commit.
async fn real_error() {
    for real_first in [false, true] {
        let parent = Context::background().with_cancel();
        let report = ScopeOptions::new()
            .run_reported(&parent, async |s| {
                let says_so = s.spawn(async |ctx| {
                    let why = ctx.done().await;
                    Err::<(), _>(AppError::from(why))
                });
                let commits = s.spawn(async |ctx| {
                    ctx.done().await;
                    Err::<(), _>(AppError::Broken("commit"))
                });
                parent.cancel();
                let [first, second] = match real_first {
                    true => [commits, says_so],
                    false => [says_so, commits],
                };
                assert!(first.await.is_err());
                assert!(second.await.is_err());
                Ok(())
            })
            .await;
        assert_eq!(report.result.unwrap_err(), AppError::Broken("commit"));
        assert_eq!(report.num_late, 1);
        assert!(matches!(&report.late[0].0, AppError::Stopped(_)));
    }
}

fn real_error_before_a_shutdown() {
    on_one_thread(async || {
        let parent = Context::background().with_cancel();
        let doomed = Doomed::new();
        let error = scope(&parent, async |s| {
            let started = Started::default();
            let hang = started.clone().hang::<(), AppError>(());
            doomed.inside(|| s.spawn(async |_| hang.await));
            started.all(1).await;
            let says_so = s.spawn(async |ctx| Err::<(), _>(AppError::from(ctx.done().await)));
            parent.cancel();
            assert!(says_so.await.is_err());
            let commits = s.task().under(&Context::background());
            let commits = commits.spawn(async |_| Err::<(), _>(AppError::Broken("commit")));
            assert!(commits.await.is_err());
            doomed.shut_down();
            Ok(())
        })
        .await
        .unwrap_err();
        assert_eq!(error, AppError::Broken("commit"));
    });
}

#[test]
fn a_tasks_real_error_beats_a_body_that_was_cancelled() {
    on_both(|| async {
        let parent = Context::background().with_cancel();
        let report = ScopeOptions::new()
            .run_reported(&parent, async |s| {
                s.spawn(async |ctx| {
                    ctx.done().await;
                    tokio::task::yield_now().await;
                    Err::<(), _>(AppError::Broken("commit"))
                });
                parent.cancel();
                Err::<(), _>(AppError::from(s.context().done().await))
            })
            .await;
        assert_eq!(report.result.unwrap_err(), AppError::Broken("commit"));
        assert_eq!(report.num_late, 1);
        assert!(matches!(&report.late[0].0, AppError::Stopped(_)));
    });
}

#[test]
fn a_bodys_real_error_beats_a_task_that_was_cancelled() {
    on_both(|| async {
        let parent = Context::background().with_cancel();
        let error = scope(&parent, async |s| {
            let says_so = s.spawn(async |ctx| Err::<(), _>(AppError::from(ctx.done().await)));
            parent.cancel();
            assert!(says_so.await.is_err());
            Err::<(), _>(AppError::Broken("body"))
        })
        .await
        .unwrap_err();
        assert_eq!(error, AppError::Broken("body"));
    });
}

/// An error of a library, which has a `Cancelled` inside or has not.
#[derive(Debug)]
struct Failed {
    what: &'static str,
    source: Option<Boxed>,
}

impl Failed {
    fn new(what: &'static str) -> Self {
        Self { what, source: None }
    }

    fn of(source: impl Into<Boxed>) -> Self {
        let source = Some(source.into());
        Self {
            what: "query failed",
            source,
        }
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)
    }
}

impl Error for Failed {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&**self.source.as_ref()?)
    }
}

impl From<Cancelled> for Failed {
    fn from(cancelled: Cancelled) -> Self {
        Failed::of(cancelled)
    }
}

/// An application's error: `Stopped` is what it makes of a `Cancelled`.
#[derive(Debug)]
enum Enum {
    Stopped,
    Io(io::Error),
}

impl From<Cancelled> for Enum {
    fn from(_: Cancelled) -> Self {
        Enum::Stopped
    }
}

/// What a scope with `options` ends with whose parent ended, after which one task failed with
/// what it made of its `Cancelled`, and then another one with `real`.
async fn decides<E>(options: ScopeOptions<E>, wrap: fn(Cancelled) -> E, real: E) -> E
where
    E: From<Cancelled> + fmt::Debug + Send + 'static,
{
    let parent = Context::background().with_cancel();
    let result = options.run(&parent, async |s| {
        let says_so = s.spawn(async move |ctx| Err::<(), _>(wrap(ctx.done().await)));
        parent.cancel_with("enough");
        assert!(says_so.await.is_err());
        let commits = s.task().under(&Context::background());
        drop(commits.spawn(async |_| Err::<(), _>(real)));
        Ok(())
    });
    result.await.unwrap_err()
}

const REAL: &str = "commit failed";

#[tokio::test]
async fn a_boxed_error_with_a_cancelled_inside_does_not_beat_a_real_one() {
    let ways: [fn(Cancelled) -> Boxed; 6] = [
        |cancelled| cancelled.into(),
        |cancelled| io::Error::from(cancelled).into(),
        |cancelled| Failed::of(cancelled).into(),
        |cancelled| Failed::of(io::Error::other(Failed::of(cancelled))).into(),
        |cancelled| io::Error::other(io::Error::other(cancelled)).into(),
        // Of an error that keeps only the text.
        |cancelled| format!("query failed: {cancelled}").into(),
    ];
    for way in ways {
        let error = decides(ScopeOptions::new(), way, Boxed::from(REAL)).await;
        assert_eq!(error.to_string(), REAL);
    }
}

#[tokio::test]
async fn an_io_error_with_a_cancelled_inside_does_not_beat_a_real_one() {
    let ways: [fn(Cancelled) -> io::Error; 4] = [
        io::Error::from,
        io::Error::other,
        |cancelled| io::Error::other(Failed::of(cancelled)),
        |cancelled| io::Error::other(io::Error::other(cancelled)),
    ];
    for way in ways {
        let error = decides(ScopeOptions::new(), way, io::Error::other(REAL)).await;
        assert_eq!(error.to_string(), REAL);
    }
}

#[cfg(feature = "anyhow")]
#[tokio::test]
async fn an_error_of_anyhow_with_a_cancelled_inside_does_not_beat_a_real_one() {
    use anyhow::{Context as _, anyhow};

    let ways: [fn(Cancelled) -> anyhow::Error; 4] = [
        anyhow::Error::from,
        |cancelled| {
            let failed = Err::<(), _>(cancelled).context("query").context("page");
            failed.unwrap_err()
        },
        |cancelled| anyhow::Error::from(io::Error::from(cancelled)).context("page"),
        |cancelled| anyhow!("query failed: {cancelled}"),
    ];
    for way in ways {
        let error = decides(ScopeOptions::new(), way, anyhow!(REAL)).await;
        assert_eq!(error.to_string(), REAL);
    }
}

#[tokio::test]
async fn of_an_enum_the_variant_that_a_cancelled_becomes_does_not_beat_another() {
    let real = || Enum::Io(io::Error::other(REAL));
    let error = decides(ScopeOptions::new(), Enum::from, real()).await;
    assert!(matches!(error, Enum::Io(_)), "{error:?}");

    // Another variant is real, whatever is in it, until `describe` shows it.
    let inside: fn(Cancelled) -> Enum = |cancelled| Enum::Io(io::Error::other(cancelled));
    let error = decides(ScopeOptions::new(), inside, real()).await;
    assert!(!format!("{error:?}").contains(REAL), "{error:?}");
    let described = ScopeOptions::new().describe(|error: &Enum| match error {
        Enum::Stopped => "stopped".to_owned(),
        Enum::Io(error) => error.to_string(),
    });
    let error = decides(described, inside, real()).await;
    assert!(format!("{error:?}").contains(REAL), "{error:?}");
}

/// The text of the application's error need not have that of the `Cancelled`.
#[tokio::test]
async fn a_described_variant_that_a_cancelled_becomes_does_not_beat_another() {
    let described = ScopeOptions::new().describe(|error: &Enum| match error {
        Enum::Stopped => "stopped".to_owned(),
        Enum::Io(_) => "io".to_owned(),
    });
    let error = decides(described, Enum::from, Enum::Io(io::Error::other(REAL))).await;
    assert!(matches!(error, Enum::Io(_)), "{error:?}");
}

#[tokio::test]
async fn of_a_struct_the_first_decides_unless_it_is_described() {
    let options = ScopeOptions::new;
    let error = decides(options(), Failed::from, Failed::new(REAL)).await;
    assert_eq!(error.what, "query failed");

    let described = options().describe(|error: &Failed| match &error.source {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    });
    let error = decides(described, Failed::from, Failed::new(REAL)).await;
    assert_eq!(error.what, REAL);

    // A text that does not show what is inside is that of what a `Cancelled` becomes.
    let described = options().describe(ToString::to_string);
    let error = decides(described, Failed::from, Failed::new(REAL)).await;
    assert_eq!(error.what, REAL);
}

/// More tasks say "cancelled" than a scope keeps late errors: the real one still decides.
#[test]
fn a_real_error_is_found_behind_any_number_of_cancelled_ones() {
    on_both(|| async {
        let parent = Context::background().with_cancel();
        let report = ScopeOptions::new()
            .run_reported(&parent, async |s| {
                let stopped: Vec<_> = (0..100)
                    .map(|_| s.spawn(async |ctx| Err::<(), _>(AppError::from(ctx.done().await))))
                    .collect();
                let commits = s.spawn(async |ctx| {
                    ctx.done().await;
                    for task in stopped {
                        assert!(task.await.is_err());
                    }
                    Err::<(), _>(AppError::Broken("commit"))
                });
                parent.cancel();
                assert!(commits.await.is_err());
                Ok(())
            })
            .await;
        assert_eq!(report.result.unwrap_err(), AppError::Broken("commit"));
        assert_eq!(report.num_late, 100);
    });
}

/// A deadline of a task's own is a failure like any other while the scope is alive.
#[test]
fn before_the_end_of_the_scope_the_first_error_decides_whatever_it_says() {
    on_both(|| async {
        let error = scope(&Context::background(), async |s| {
            s.spawn(async |ctx| {
                let late = ctx.with_timeout(std::time::Duration::ZERO);
                late.check()?;
                Ok(())
            });
            s.context().done().await;
            std::future::pending::<Result<(), Cancelled>>().await
        })
        .await
        .unwrap_err();
        assert_eq!(error.reason(), Reason::Deadline);
    });
}
