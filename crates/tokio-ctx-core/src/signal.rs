//! Contexts that end when the process is asked to stop (feature `signal`).

use std::future::poll_fn;
use std::io;
use std::panic::Location;
use std::task::{Context as TaskContext, Poll};

use crate::cancelled::{Cancelled, Place, Reason, shared};
use crate::context::Context;
use crate::guard::{CancelGuard, CancelHandle};

/// Signals, with the feature `signal`.
impl Context {
    /// A child that ends when the process is asked to stop: by Ctrl-C or `SIGTERM`, on Windows
    /// by Ctrl-C or the console being closed. The reason is [`Reason::Signal`], and the
    /// cause says which.
    ///
    /// Made for the root context of a server or a tool. The guard can also end it, and giving
    /// it up ends the watch: a task of the current runtime, the only one that a context ever
    /// makes. A signal that came before this call is not seen.
    ///
    /// From the first call on, for the rest of the process's life, the signals no longer end
    /// the process by themselves: that is the program's own business now. A program that has
    /// stopped, and hangs, is ended by a signal that cannot be caught.
    ///
    /// Go: `signal.NotifyContext`, which takes the signals back when it is stopped.
    ///
    /// # Errors
    ///
    /// When the operating system refuses to hand over the signals.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime, and inside of one that was built without its I/O driver.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio_ctx::{Context, Reason};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// let server = Context::background().with_signals()?;
    /// let request = server.with_cancel();
    /// assert!(!request.is_done());
    ///
    /// // Ctrl-C would end both with `Reason::Signal`.
    /// drop(server);
    /// assert_eq!(request.err().unwrap().reason(), Reason::GuardDropped);
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "signal")] // as its module, for the documentation
    #[track_caller]
    pub fn with_signals(&self) -> io::Result<CancelGuard> {
        let location = Location::caller();
        let requests = Requests::listen()?;
        let guard = self.with_cancel();
        tokio::spawn(watch(requests, guard.handle(), location));
        Ok(guard)
    }
}

/// Ends the context at the first request, and ends with the context.
async fn watch(mut requests: Requests, handle: CancelHandle, location: Place) {
    let request = poll_fn(|cx| requests.poll(cx));
    if let Ok(signal) = handle.context().run(request).await {
        handle.cancel_as(Cancelled::new(
            Reason::Signal,
            location,
            Some(shared(signal)),
        ));
    }
}

#[cfg(unix)]
use tokio::signal::unix::{Signal as Terminations, Signal as Interrupts};
#[cfg(windows)]
use tokio::signal::windows::{CtrlC as Interrupts, CtrlClose as Terminations};

/// The requests to stop that this process gets.
struct Requests {
    interrupts: Interrupts,
    terminations: Terminations,
}

impl Requests {
    #[cfg(unix)]
    fn listen() -> io::Result<Requests> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Requests {
            interrupts: signal(SignalKind::interrupt())?,
            terminations: signal(SignalKind::terminate())?,
        })
    }

    #[cfg(windows)]
    fn listen() -> io::Result<Requests> {
        use tokio::signal::windows::{ctrl_c, ctrl_close};
        Ok(Requests {
            interrupts: ctrl_c()?,
            terminations: ctrl_close()?,
        })
    }

    fn poll(&mut self, cx: &mut TaskContext<'_>) -> Poll<&'static str> {
        if self.interrupts.poll_recv(cx).is_ready() {
            return Poll::Ready("Ctrl-C");
        }
        self.terminations.poll_recv(cx).map(|_| "SIGTERM")
    }
}
