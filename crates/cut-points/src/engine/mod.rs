//! A runtime that is driven one poll at a time.

mod drive;
mod host;

use std::future::poll_fn;
use std::io;
use std::time::Duration;

pub(crate) use drive::{Cut, CutKind, Driven, Ended, Event, Plan};
use host::Host;

use crate::call::Local;
use crate::settings::Settings;

pub(crate) struct Engine(Host);

impl Engine {
    pub(crate) fn new(settings: &Settings) -> io::Result<Engine> {
        Host::new(settings).map(Engine)
    }

    /// Polls `future` until it ends, is cut, or has gone on for too long.
    pub(crate) fn drive<'f, T>(&self, future: Local<'f, T>, plan: &Plan<'_>) -> Driven<T> {
        let mut drive = drive::Drive::new(&self.0, Some(future), plan);
        let ended = self.0.runtime.block_on(poll_fn(|cx| drive.step(cx)));
        drive.driven(ended)
    }

    /// Runs what is ready, lets `time` pass, and runs what has become ready by that.
    pub(crate) fn settle(&self, time: Duration) {
        self.until_idle();
        if !time.is_zero() {
            let sleep = Box::pin(async move { tokio::time::sleep(time).await });
            self.drive(sleep, &Plan::whole(time + host::SHUTDOWN));
            self.until_idle();
        }
    }

    fn until_idle(&self) {
        let plan = Plan::until_idle();
        let mut drive = drive::Drive::<()>::new(&self.0, None, &plan);
        self.0.runtime.block_on(poll_fn(|cx| drive.step(cx)));
    }

    /// Tasks that have not ended.
    pub(crate) fn tasks(&self) -> usize {
        self.0.tasks()
    }

    /// Drops `value` inside of the runtime, and lets what that starts come to an end.
    pub(crate) fn bury<T>(self, value: T) {
        self.0.runtime.block_on(async { drop(value) });
        self.until_idle();
        self.shut_down();
    }

    /// Drops the runtime and with it every task.
    pub(crate) fn shut_down(self) {
        self.0.shut_down();
    }
}
