//! The token that the models run on against the real one.
//!
//! Models cannot see into tokio-util's `CancellationToken`, so under a model checker a stand-in
//! takes its place. Here both are driven with the same random scripts, one thread each, and
//! must answer alike: who is cancelled, what each poll returns, who is woken how often, and, as
//! long as no token was dropped, in which order.
#![cfg(not(any(loom, shuttle)))]

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex as StdMutex};
use std::task::{Context, Poll, Wake, Waker};

use tokio_util::sync::CancellationToken as Real;

/// What the stand-in expects beside it: a mutex without poison.
#[path = "."]
#[expect(dead_code, unreachable_pub, reason = "written for another place")]
mod standin {
    #[path = "../src/sync/modelled/token.rs"]
    mod token;

    pub(crate) use token::{CancellationToken as StandIn, TokenWaitOwned};

    mod lock {
        pub(crate) struct Mutex<T>(std::sync::Mutex<T>);

        impl<T> Mutex<T> {
            pub(crate) fn new(value: T) -> Mutex<T> {
                Mutex(std::sync::Mutex::new(value))
            }

            pub(crate) fn lock(&self) -> std::sync::MutexGuard<'_, T> {
                self.0.lock().expect("nothing panics under it")
            }
        }
    }
}

use standin::{StandIn, TokenWaitOwned};

/// What both tokens can do.
trait Token: Clone {
    type Wait: Future<Output = ()>;

    fn new() -> Self;
    fn child(&self) -> Self;
    fn cancel(&self);
    fn is_cancelled(&self) -> bool;
    fn wait(&self) -> Self::Wait;
}

impl Token for Real {
    type Wait = tokio_util::sync::WaitForCancellationFutureOwned;

    fn new() -> Real {
        Real::new()
    }
    fn child(&self) -> Real {
        self.child_token()
    }
    fn cancel(&self) {
        Real::cancel(self);
    }
    fn is_cancelled(&self) -> bool {
        Real::is_cancelled(self)
    }
    fn wait(&self) -> Self::Wait {
        self.clone().cancelled_owned()
    }
}

impl Token for StandIn {
    type Wait = TokenWaitOwned;

    fn new() -> StandIn {
        StandIn::default()
    }
    fn child(&self) -> StandIn {
        self.child_token()
    }
    fn cancel(&self) {
        StandIn::cancel(self);
    }
    fn is_cancelled(&self) -> bool {
        StandIn::is_cancelled(self)
    }
    fn wait(&self) -> TokenWaitOwned {
        self.clone().cancelled_owned()
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// A child of a token that is there.
    Child(usize),
    Clone(usize),
    Cancel(usize),
    Drop(usize),
    /// A new future on a token, polled at once for odd numbers.
    Wait(usize),
    Poll(usize),
    /// Polls with another waker than before.
    PollAnew(usize),
    DropWait(usize),
}

/// A wake-up: of the future of this number, by its waker of that number.
type Wakes = Arc<StdMutex<Vec<(usize, usize)>>>;

struct Bell {
    future: usize,
    generation: usize,
    wakes: Wakes,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wakes
            .lock()
            .expect("nothing panics under it")
            .push((self.future, self.generation));
    }
}

/// A future, and how often it got a new waker.
struct Waiting<W> {
    future: Pin<Box<W>>,
    number: usize,
    generation: usize,
    is_over: bool,
}

/// What a script showed after each step.
#[derive(Debug, PartialEq)]
struct Shown {
    polled: Option<Poll<()>>,
    cancelled: Vec<Option<bool>>,
    wakes: Vec<(usize, usize)>,
}

/// Plays a script; numbers of tokens and futures are taken modulo how many there are.
fn play<T: Token>(script: &[Step]) -> Vec<Shown> {
    let wakes = Wakes::default();
    let mut tokens: Vec<Option<T>> = vec![Some(T::new())];
    let mut waits: Vec<Option<Waiting<T::Wait>>> = Vec::new();
    let mut shown = Vec::new();
    for step in script {
        let mut polled = None;
        match *step {
            Step::Child(at) => {
                let child = pick(&tokens, at).map(Token::child);
                tokens.extend(child.map(Some));
            }
            Step::Clone(at) => {
                let clone = pick(&tokens, at).cloned();
                tokens.extend(clone.map(Some));
            }
            Step::Cancel(at) => {
                if let Some(token) = pick(&tokens, at) {
                    token.cancel();
                }
            }
            Step::Drop(at) => {
                let index = at % tokens.len();
                tokens[index] = None;
            }
            Step::Wait(at) => {
                let number = waits.len();
                let wait = pick(&tokens, at).map(|token| Waiting {
                    future: Box::pin(token.wait()),
                    number,
                    generation: 0,
                    is_over: false,
                });
                waits.extend(wait.map(Some));
                if at % 2 == 1 && number < waits.len() {
                    polled = poll(&mut waits, number, false, &wakes);
                }
            }
            Step::Poll(at) => polled = poll(&mut waits, at, false, &wakes),
            Step::PollAnew(at) => polled = poll(&mut waits, at, true, &wakes),
            Step::DropWait(at) => {
                let count = waits.len().max(1);
                if let Some(wait) = waits.get_mut(at % count) {
                    *wait = None;
                }
            }
        }
        shown.push(Shown {
            polled,
            cancelled: tokens
                .iter()
                .map(|token| token.as_ref().map(T::is_cancelled))
                .collect(),
            wakes: std::mem::take(&mut *wakes.lock().expect("nothing panics under it")),
        });
    }
    shown
}

fn pick<T>(from: &[Option<T>], at: usize) -> Option<&T> {
    from[at % from.len()].as_ref()
}

fn poll<W: Future<Output = ()>>(
    waits: &mut [Option<Waiting<W>>],
    at: usize,
    anew: bool,
    wakes: &Wakes,
) -> Option<Poll<()>> {
    let count = waits.len().max(1);
    let wait = waits.get_mut(at % count)?.as_mut()?;
    if wait.is_over {
        return None;
    }
    wait.generation += usize::from(anew);
    let waker = Waker::from(Arc::new(Bell {
        future: wait.number,
        generation: wait.generation,
        wakes: Arc::clone(wakes),
    }));
    let polled = wait.future.as_mut().poll(&mut Context::from_waker(&waker));
    wait.is_over = polled.is_ready();
    Some(polled)
}

/// Marsaglia's xorshift: the same scripts in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % end
    }
}

fn script(seed: u64, drops: bool) -> Vec<Step> {
    let mut random = Random(0x9e37_79b9_7f4a_7c15 ^ (seed + 1).wrapping_mul(0x2545_f491_4f6c_dd1d));
    let length = 8 + random.below(40);
    let steps = (0..length).map(|_| {
        let at = random.below(64);
        match random.below(if drops { 27 } else { 23 }) {
            0..=7 => Step::Child(at),
            8 if drops => Step::Clone(at),
            8..=16 => Step::Wait(at),
            17..=19 => Step::Poll(at),
            20 | 21 => Step::PollAnew(at),
            22 => Step::Cancel(at),
            23 | 24 => Step::Drop(at),
            _ => Step::DropWait(at),
        }
    });
    // The root last, if it is still there.
    steps.chain([Step::Cancel(0)]).collect()
}

/// Compares all scripts; returns how many steps woke more than one.
fn compare(scripts: u64, drops: bool) -> usize {
    let mut concerts = 0;
    for seed in 0..scripts {
        let script = script(seed, drops);
        let (mut real, mut standin) = (play::<Real>(&script), play::<StandIn>(&script));
        for shown in real.iter_mut().chain(&mut standin) {
            concerts += usize::from(shown.wakes.len() > 1);
            if drops {
                shown.wakes.sort_unstable();
            }
        }
        for (index, (real, standin)) in real.iter().zip(&standin).enumerate() {
            assert_eq!(
                real, standin,
                "script {seed}, step {index}, {:?}: the real one on the left\n{script:?}",
                script[index]
            );
        }
    }
    concerts / 2
}

/// Without drops the order of wake-ups is the same, and with it the order of marking.
#[test]
fn stand_in_wakes_in_the_real_order() {
    let concerts = compare(20_000, false);
    assert!(
        concerts > 10_000,
        "only {concerts} cancels woke more than one: the order was hardly compared"
    );
}

/// With tokens and futures that are dropped, the same are woken, and as often.
#[test]
fn stand_in_answers_like_the_real_token() {
    let concerts = compare(20_000, true);
    assert!(
        concerts > 2_000,
        "only {concerts} cancels woke more than one"
    );
}
