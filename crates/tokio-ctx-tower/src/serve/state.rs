//! What the parts of one connection know together: [`State`].
//!
//! Its socket, its requests and its task each see a part of what decides whether it is idle.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context as TaskContext, Waker};
use std::time::Duration;

use tokio::time::Instant;

/// Nothing in it orders anything else: each is a fact that is looked at again.
const ORDER: Ordering = Ordering::Relaxed;

/// Since a moment that has not been read from a clock yet.
const UNDATED: u64 = u64::MAX;

/// The first bytes of a client that speaks HTTP/2 without having been asked.
const HTTP2: &[u8] = b"PRI ";

pub(super) struct State {
    accepted: Instant,
    /// Requests whose response is not over.
    in_flight: AtomicUsize,
    num_requests: AtomicU64,
    /// When the last request ended, in microseconds since `accepted`; 0 before that.
    idle_since: AtomicU64,
    /// When the first byte of the next head came, likewise.
    head_since: AtomicU64,
    is_http2: AtomicBool,
    is_blocked: AtomicBool,
    is_closing: AtomicBool,
    is_upgraded: AtomicBool,
    is_cut: AtomicBool,
    /// What waits for an upgraded socket, by [`Side`].
    waiting: Mutex<[Option<Waker>; 2]>,
}

/// What a socket is waited for.
#[derive(Clone, Copy)]
pub(super) enum Side {
    Read,
    Write,
}

impl State {
    pub(super) fn new() -> State {
        State {
            accepted: Instant::now(),
            in_flight: AtomicUsize::new(0),
            num_requests: AtomicU64::new(0),
            idle_since: AtomicU64::new(0),
            head_since: AtomicU64::new(0),
            is_http2: AtomicBool::new(false),
            is_blocked: AtomicBool::new(false),
            is_closing: AtomicBool::new(false),
            is_upgraded: AtomicBool::new(false),
            is_cut: AtomicBool::new(false),
            waiting: Mutex::default(),
        }
    }

    pub(super) fn accepted(&self) -> Instant {
        self.accepted
    }

    fn micros(&self) -> u64 {
        let micros = self.accepted.elapsed().as_micros();
        u64::try_from(micros).unwrap_or(u64::MAX).max(1)
    }

    fn moment(&self, micros: u64) -> Option<Instant> {
        (micros > 0).then(|| self.accepted + Duration::from_micros(micros))
    }

    /// The socket had these bytes.
    pub(super) fn received(&self, bytes: &[u8]) {
        if self.in_flight.load(ORDER) > 0 || bytes.is_empty() || self.head_since.load(ORDER) > 0 {
            return;
        }
        if self.num_requests.load(ORDER) == 0 && bytes.starts_with(HTTP2) {
            self.is_http2.store(true, ORDER);
        }
        self.head_since.store(UNDATED, ORDER);
    }

    /// Dates what has begun since the connection was last looked after. Most heads come whole, and
    /// are requests by then, so that no clock is read for them.
    pub(super) fn date(&self) {
        if self.head_since.load(ORDER) == UNDATED {
            self.head_since.store(self.micros(), ORDER);
        }
    }

    pub(super) fn request_begins(&self) {
        self.in_flight.fetch_add(1, ORDER);
        self.num_requests.fetch_add(1, ORDER);
        self.head_since.store(0, ORDER);
    }

    pub(super) fn request_ends(&self) {
        if self.in_flight.fetch_sub(1, ORDER) == 1 {
            self.idle_since.store(self.micros(), ORDER);
        }
    }

    /// Whether a response is not over, or not read by the client yet.
    pub(super) fn is_busy(&self) -> bool {
        self.in_flight.load(ORDER) > 0 || self.is_blocked.load(ORDER)
    }

    /// A write waits for the client, or no longer does.
    pub(super) fn blocked(&self, is_blocked: bool) {
        if self.is_blocked.load(ORDER) != is_blocked {
            self.is_blocked.store(is_blocked, ORDER);
            self.idle_since.store(self.micros(), ORDER);
        }
    }

    /// Since when there has been no request; `None` if there never was one.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        self.moment(self.idle_since.load(ORDER))
    }

    /// Since when there has been a part of a head. Frames of HTTP/2 say nothing of that.
    pub(super) fn head_since(&self) -> Option<Instant> {
        match self.is_http2.load(ORDER) {
            true => None,
            false => self.moment(self.head_since.load(ORDER)),
        }
    }

    pub(super) fn speaks_http2(&self) {
        self.is_http2.store(true, ORDER);
    }

    pub(super) fn is_http2(&self) -> bool {
        self.is_http2.load(ORDER)
    }

    /// From now on each response of HTTP/1 asks the client to close.
    pub(super) fn close(&self) {
        self.is_closing.store(true, ORDER);
    }

    pub(super) fn is_closing(&self) -> bool {
        self.is_closing.load(ORDER)
    }

    /// From now on the socket belongs to the upgraded protocol.
    pub(super) fn upgrade(&self) {
        self.is_upgraded.store(true, ORDER);
    }

    pub(super) fn is_upgraded(&self) -> bool {
        self.is_upgraded.load(ORDER)
    }

    /// Fails what waits for the socket after an upgrade, now and from now on.
    pub(super) fn cut(&self) {
        let waiting = {
            let mut waiting = lock(&self.waiting);
            self.is_cut.store(true, ORDER);
            std::mem::take(&mut *waiting)
        };
        waiting.into_iter().flatten().for_each(Waker::wake);
    }

    /// Whether the socket is cut. If not, the task of `cx` is woken when it is.
    pub(super) fn is_cut(&self, side: Side, cx: &TaskContext<'_>) -> bool {
        if !self.is_upgraded() {
            return false;
        }
        let mut waiting = lock(&self.waiting);
        let is_cut = self.is_cut.load(ORDER);
        let slot = &mut waiting[side as usize];
        let is_there = slot.as_ref().is_some_and(|old| old.will_wake(cx.waker()));
        if !is_cut && !is_there {
            *slot = Some(cx.waker().clone());
        }
        is_cut
    }
}

/// No invariant spans what is locked here, so none is broken by a panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
