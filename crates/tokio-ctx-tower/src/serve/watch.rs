//! When a connection has to end without its client's doing: [`Watch`].

use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::Duration;

use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_ctx_core::Context;
use tokio_ctx_core::future::Done;

use super::settings::Settings;
use super::state::State;

/// How long an idle connection stays open once it has to end: a request that crosses that
/// moment on the wire is answered.
const CROSSING: Duration = Duration::from_millis(100);

/// How long a client may take to answer a farewell. Those of HTTP/2 have to.
const FAREWELL: Duration = Duration::from_secs(5);

/// Longer than any connection lasts.
const NEVER: Duration = Duration::from_secs(60 * 60 * 24 * 365);

/// What a connection has to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Finish the requests it has, and take no more.
    Finish,
    /// End at once: there is no request.
    End,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    /// Each response is the last one of its connection.
    Closing,
    /// No request is taken any more.
    Closed,
}

pin_project! {
    /// Watches the clock and the server for one connection.
    ///
    /// One timer serves all limits, and it is set anew only when it has fired: requests come
    /// and go without touching it.
    pub(super) struct Watch<'a> {
        settings: &'a Settings,
        state: &'a State,
        stop: &'a Context,
        requests: &'a Context,
        phase: Phase,
        #[pin]
        stopped: Done<'a>,
        #[pin]
        requests_ended: Done<'a>,
        #[pin]
        timer: Sleep,
        // The task that the three above wake: they are polled again only for another one.
        registered: Option<Waker>,
    }
}

impl<'a> Watch<'a> {
    /// Of a connection whose requests end with `requests`, and that takes none after `stop`.
    pub(super) fn new(
        stop: &'a Context,
        requests: &'a Context,
        settings: &'a Settings,
        state: &'a State,
    ) -> Watch<'a> {
        let first = settings.shortest().unwrap_or(NEVER);
        Watch {
            settings,
            state,
            stop,
            requests,
            phase: Phase::Open,
            stopped: stop.done(),
            requests_ended: requests.done(),
            timer: sleep_until(state.accepted() + first),
            registered: None,
        }
    }

    /// What the connection has to do now, if anything. Never over: a connection that was to
    /// finish is asked again when it does not.
    pub(super) fn poll_next(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Next> {
        self.state.date();
        loop {
            let this = self.as_mut().project();
            if *this.phase == Phase::Open && this.stop.is_done() {
                let linger = this.settings.linger;
                self.as_mut().close_in(CROSSING.max(linger));
                continue;
            }
            if *this.phase != Phase::Open && this.requests.is_done() && !this.state.is_busy() {
                return Poll::Ready(Next::End);
            }
            if this.timer.is_elapsed() {
                match self.as_mut().fired() {
                    Some(next) => return Poll::Ready(next),
                    None => continue,
                }
            }
            let is_registered = |old: &Waker| old.will_wake(cx.waker());
            if this.registered.as_ref().is_some_and(is_registered) {
                return Poll::Pending;
            }
            let has_ended = match *this.phase {
                Phase::Open => this.stopped.poll(cx).is_ready(),
                // A busy connection goes on, and ends with its last request.
                Phase::Closing | Phase::Closed if this.requests.is_done() => false,
                Phase::Closing | Phase::Closed => this.requests_ended.poll(cx).is_ready(),
            };
            let has_fired = this.timer.poll(cx).is_ready();
            if !has_ended && !has_fired {
                *this.registered = Some(cx.waker().clone());
                return Poll::Pending;
            }
        }
    }

    /// From now on each response is the last one, and soon no request is taken any more.
    fn close_in(mut self: Pin<&mut Self>, time: Duration) {
        self.state.close();
        *self.as_mut().project().phase = Phase::Closing;
        self.set_timer(Instant::now() + time);
    }

    fn set_timer(self: Pin<&mut Self>, at: Instant) {
        let this = self.project();
        this.timer.reset(at);
        *this.registered = None;
    }

    fn fired(mut self: Pin<&mut Self>) -> Option<Next> {
        let now = Instant::now();
        match self.phase {
            Phase::Open => self.look(now),
            // A head on its way may still become a request.
            Phase::Closing if !self.state.is_busy() && self.state.head_since().is_some() => {
                self.set_timer(now + CROSSING);
                None
            }
            Phase::Closing => {
                *self.as_mut().project().phase = Phase::Closed;
                self.set_timer(now + FAREWELL);
                Some(Next::Finish)
            }
            Phase::Closed => {
                let is_busy = self.state.is_busy();
                self.set_timer(now + FAREWELL);
                (!is_busy).then_some(Next::End)
            }
        }
    }

    /// Whether a limit has passed; if not, the timer is set for when the next one may.
    fn look(mut self: Pin<&mut Self>, now: Instant) -> Option<Next> {
        let (state, settings) = (self.state, self.settings);
        let old = settings.max_age.map(|age| state.accepted() + age);
        if old.is_some_and(|at| at <= now) {
            self.close_in(CROSSING);
            return None;
        }
        let (limit, next) = if state.is_busy() {
            (settings.shortest().map(|time| now + time), None)
        } else if let Some(since) = state.head_since() {
            (
                settings.head_timeout.map(|time| since + time),
                Some(Next::End),
            )
        } else if let Some(since) = state.idle_since() {
            (
                settings.idle_timeout.map(|time| since + time),
                Some(Next::Finish),
            )
        } else if state.is_http2() {
            let idle = settings.idle_timeout;
            (idle.map(|time| state.accepted() + time), Some(Next::Finish))
        } else {
            let head = settings.head_timeout;
            (head.map(|time| state.accepted() + time), Some(Next::End))
        };
        match (limit, next) {
            (Some(at), Some(Next::End)) if at <= now => return Some(Next::End),
            (Some(at), Some(Next::Finish)) if at <= now => {
                state.close();
                *self.as_mut().project().phase = Phase::Closed;
                self.set_timer(now + FAREWELL);
                return Some(Next::Finish);
            }
            _ => {}
        }
        let at = limit.into_iter().chain(old).min();
        let shortest = settings.shortest().unwrap_or(NEVER);
        self.set_timer(at.unwrap_or(now + shortest));
        None
    }
}
