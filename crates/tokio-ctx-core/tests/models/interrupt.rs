//! Interrupts: none hits what starts after it, none is lost, and nobody waits for ever.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

use tokio_ctx_core::interrupt::Interrupt;
use tokio_ctx_core::model;

use super::harness::checker::sync::Mutex;
use super::harness::{Model, spawn};

/// A session at the other side: one command at a time, and interrupts that hit whichever runs.
#[derive(Default)]
struct Session {
    /// The number of the command that runs; 0 for none.
    runs: u8,
    /// The number of the one that was hit.
    hit: Option<u8>,
    is_finished: bool,
    /// Interrupts that the session has acted on.
    acted: usize,
    wakers: Vec<Waker>,
}

type Shared = Arc<Mutex<Session>>;

fn change<R>(session: &Shared, f: impl FnOnce(&mut Session) -> R) -> R {
    let (result, wakers) = {
        let mut session = session.lock().unwrap();
        let result = f(&mut session);
        (result, std::mem::take(&mut session.wakers))
    };
    wakers.into_iter().for_each(Waker::wake);
    result
}

/// Ready when `is_so`.
fn until(session: &Shared, is_so: impl Fn(&Session) -> bool) -> impl Future<Output = ()> {
    poll_fn(move |cx| {
        let mut session = session.lock().unwrap();
        if is_so(&session) {
            return Poll::Ready(());
        }
        session.wakers.push(cx.waker().clone());
        Poll::Pending
    })
}

fn hit(session: &mut Session) {
    if session.runs != 0 {
        session.hit = Some(session.runs);
    }
    session.acted += 1;
}

/// The work ends by itself while an interrupt of it is under way: the next command is not hit.
#[test]
fn next_command_is_not_interrupted() {
    Model::of(5_000).sees(&["hit", "missed"]).explore(|seen| {
        let session = Shared::default();
        change(&session, |session| session.runs = 1);
        let server = spawn({
            let session = Arc::clone(&session);
            move || {
                change(&session, |session| {
                    session.runs = 0;
                    session.is_finished = true;
                });
            }
        });
        let mut sender = None;
        let interrupt = Interrupt::new(|| {
            let other = Arc::clone(&session);
            sender = Some(spawn(move || change(&other, hit)));
            let session = &session;
            async move {
                until(session, |session| session.acted == 1).await;
                Ok::<_, Infallible>(())
            }
        });
        let ended = |session: &Session| session.is_finished || session.hit.is_some();
        model::block_on(interrupt.until(until(&session, ended))).unwrap();
        change(&session, |session| {
            // A server that answered has nothing more to say about the first command.
            session.is_finished = true;
            session.runs = 2;
        });
        server.join().unwrap();
        sender.expect("one was sent").join().unwrap();
        let hit = change(&session, |session| session.hit);
        assert_ne!(
            hit,
            Some(2),
            "the interrupt of the first command hit the second"
        );
        seen.mark(if hit.is_some() { "hit" } else { "missed" });
    });
}

/// The interrupt is over only once the work has seen it: both are driven.
#[test]
fn work_is_driven_while_it_is_interrupted() {
    Model::of(80).explore(|_| {
        let session = Shared::default();
        change(&session, |session| session.runs = 1);
        let work = async {
            until(&session, |session| session.hit.is_some()).await;
            change(&session, |session| session.acted += 1);
        };
        let mut sender = None;
        let interrupt = Interrupt::new(|| {
            let other = Arc::clone(&session);
            sender = Some(spawn(move || change(&other, hit)));
            let session = &session;
            async move {
                until(session, |session| session.acted == 2).await;
                Ok::<_, Infallible>(())
            }
        });
        model::block_on(interrupt.until(work)).unwrap();
        sender.expect("one was sent").join().unwrap();
    });
}

/// The command starts at some moment; an interrupt that came before it is sent again.
#[test]
fn early_interrupt_is_sent_again() {
    const EVERY: Duration = Duration::from_millis(50);
    let outcomes = &["first", "again", "abandoned"];
    Model::of(80).sees(outcomes).explore(|seen| {
        let session = Shared::default();
        let server = spawn({
            let session = Arc::clone(&session);
            move || change(&session, |session| session.runs = 1)
        });
        let mut sent = 0;
        let interrupt = Interrupt::new(|| {
            sent += 1;
            change(&session, hit);
            std::future::ready(Ok::<_, Infallible>(()))
        });
        // Nobody else moves the clock: each look at the work takes as long as the pause.
        let work = poll_fn(|cx| {
            model::advance(EVERY);
            if session.lock().unwrap().hit.is_some() {
                return Poll::Ready(());
            }
            session.lock().unwrap().wakers.push(cx.waker().clone());
            Poll::Pending
        });
        let grace = EVERY * 4;
        let ended = model::block_on(interrupt.every(EVERY).grace(grace).until(work));
        server.join().unwrap();
        seen.mark(match (ended, sent) {
            (Err(_), _) => "abandoned",
            (Ok(()), 1) => "first",
            (Ok(()), _) => "again",
        });
    });
}
