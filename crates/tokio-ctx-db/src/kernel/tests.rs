//! What a real server does too seldom to be waited for, by a session that tests control.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::sleep;
use tokio_ctx_core::Context;

use super::{Answers, Cancel, Common, Lease, Rollback, Sent, Session, Transaction};
use crate::error::Error;
use crate::settings::Settings;

/// What has happened, in its order.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<&'static str>>>);

impl Log {
    fn note(&self, what: &'static str) {
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        log.push(what);
    }

    fn take(&self) -> Vec<&'static str> {
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut log)
    }
}

/// A session whose ROLLBACKs are answered in turn, each after a time.
struct Scripted {
    answers: VecDeque<(Duration, Rollback)>,
    log: Log,
}

impl Answers for Scripted {}

impl Session for Scripted {
    type Transaction<'a> = Unanswered;

    const NAME: &'static str = "a script";

    async fn rollback(&mut self) -> Rollback {
        self.log.note("rollback");
        let (time, answer) = self.answers.pop_front().expect("one ROLLBACK too many");
        sleep(time).await;
        self.log.note(match &answer {
            Rollback::Done => "done",
            Rollback::Hit(_) => "hit",
            Rollback::Broken(_) => "broken",
        });
        answer
    }

    fn close(self) {
        self.log.note("closed");
    }

    async fn begin(&mut self) -> Result<Unanswered, Error> {
        Ok(Unanswered)
    }
}

/// Its COMMIT is never answered.
struct Unanswered;

impl Answers for Unanswered {}

impl Transaction for Unanswered {
    async fn commit(self) -> Result<(), Error> {
        std::future::pending().await
    }

    async fn rollback(self) -> Result<(), Error> {
        Ok(())
    }
}

/// The server acts on a cancel after that time.
#[derive(Clone)]
struct Fenced(Duration, Log);

impl Cancel for Fenced {
    async fn cancel(&self) -> Sent {
        self.1.note("cancel");
        sleep(self.0).await;
        self.1.note("fenced");
        Sent::Fenced
    }
}

const fn ms(time: u64) -> Duration {
    Duration::from_millis(time)
}

fn hit() -> Rollback {
    Rollback::Hit("canceling statement due to user request".to_owned())
}

fn lease(
    fence: Duration,
    answers: impl Into<VecDeque<(Duration, Rollback)>>,
) -> (Lease<Scripted, Fenced>, Log, Arc<Common>) {
    let log = Log::default();
    let session = Scripted {
        answers: answers.into(),
        log: log.clone(),
    };
    let common = Arc::new(Common::new(Settings::default()));
    let cancel = Fenced(fence, log.clone());
    let lease = Lease::new(session, cancel, Arc::clone(&common), Handle::current());
    (lease, log, common)
}

/// Cuts work on a session with these answers, and says what happened until it was clean or closed.
async fn cut(
    fence: Duration,
    answers: [(Duration, Rollback); 2],
) -> (Vec<&'static str>, Arc<Common>) {
    let (mut lease, log, common) = lease(fence, answers);
    let soon = Context::background().with_timeout(ms(1));
    let work = lease.under(&soon, async |_| std::future::pending::<()>().await);
    assert!(work.await.unwrap_err().cancelled().is_some());
    (log.take(), common)
}

/// Rule 8.
#[tokio::test(start_paused = true)]
async fn a_rollback_that_a_cancel_has_hit_is_sent_once_more() {
    let answers = [(ms(1), hit()), (ms(1), Rollback::Done)];
    let (log, common) = cut(ms(1), answers).await;
    let expected = ["cancel", "fenced", "rollback", "hit", "rollback", "done"];
    assert_eq!(log, expected);
    let counts = common.counters.read();
    assert_eq!((counts.cleaned, counts.lost()), (1, 0));
}

/// Rule 8: the second one would be hit as well by a cancel that is still on its way.
#[tokio::test(start_paused = true)]
async fn a_rollback_is_sent_once_more_when_no_cancel_is_under_way() {
    // Hit while the second cancel, which begins 50 ms after it, has not been acted on yet.
    let answers = [(ms(70), hit()), (ms(1), Rollback::Done)];
    let (log, common) = cut(ms(40), answers).await;
    let expected = [
        "cancel", "fenced", "rollback", "cancel", "hit", "fenced", "rollback", "done",
    ];
    assert_eq!(log, expected);
    assert_eq!(common.counters.read().cleaned, 1);
}

/// Rules 8 and 9: nobody has cancelled the second one, so something else is wrong.
#[tokio::test(start_paused = true)]
async fn a_session_whose_second_rollback_fails_as_well_is_closed() {
    let answers = [(ms(1), hit()), (ms(1), hit())];
    let (log, common) = cut(ms(1), answers).await;
    assert_eq!(log.last(), Some(&"closed"));
    assert_eq!(common.counters.read().lost_to_server, 1);
}

/// Rule 12, and what counts say of it.
#[tokio::test(start_paused = true)]
async fn a_commit_that_is_never_answered_is_a_cut_whose_connection_is_lost() {
    let (mut lease, log, common) = lease(ms(1), []);
    let soon = Context::background().with_timeout(ms(1));
    let work = lease.transaction(&soon, async |_| Ok::<_, Error>(7));
    assert!(work.await.unwrap_err().is_commit_unknown());
    drop(lease);
    assert_eq!(log.take(), ["closed"]);
    let counts = common.counters.read();
    assert_eq!((counts.cuts, counts.cleaned, counts.lost()), (1, 0, 1));
}
