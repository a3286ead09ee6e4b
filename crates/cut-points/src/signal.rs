//! What a function is given so that it can be cancelled.

/// A parameter by which a function can be cancelled: with the feature `context`
/// tokio-ctx's `Context`, with the feature `token` tokio-util's `CancellationToken`.
///
/// A type of your own, say the receiver of a shutdown channel in a newtype, takes a few lines:
///
/// ```
/// use cut_points::Signal;
/// use tokio::sync::watch;
///
/// struct Shutdown(watch::Receiver<bool>);
///
/// impl Signal for Shutdown {
///     fn signal() -> (Shutdown, Box<dyn Fn()>) {
///         let (sender, receiver) = watch::channel(false);
///         (Shutdown(receiver), Box::new(move || drop(sender.send(true))))
///     }
/// }
///
/// async fn work(Shutdown(shutdown): &Shutdown) {
///     let mut shutdown = shutdown.clone();
///     tokio::select! {
///         _ = shutdown.wait_for(|over| *over) => {}
///         () = tokio::time::sleep(std::time::Duration::from_secs(60)) => {}
///     }
/// }
///
/// cut_points::world(async || ())
///     .cancel_everywhere(async |_: &(), shutdown: &Shutdown| work(shutdown).await)
///     .assert_ok();
/// ```
pub trait Signal: Sized + 'static {
    /// Makes a signal, and the closure that cancels it.
    fn signal() -> (Self, Box<dyn Fn()>);

    /// Whether an error, as `Debug` prints it, says that this signal was cancelled.
    fn is_named_by(error: &str) -> bool {
        let _ = error;
        false
    }
}

#[cfg(feature = "token")]
impl Signal for tokio_util::sync::CancellationToken {
    fn signal() -> (Self, Box<dyn Fn()>) {
        let token = tokio_util::sync::CancellationToken::new();
        let cancelled = token.clone();
        (token, Box::new(move || cancelled.cancel()))
    }
}

/// The cause that a cut gives, by which an error is known to come from it.
#[cfg(feature = "context")]
const CAUSE: &str = "cut by the test";

#[cfg(feature = "context")]
impl Signal for tokio_ctx_core::Context {
    fn signal() -> (Self, Box<dyn Fn()>) {
        // ctx-lint: allow(background-outside-root) what is cut has no caller but the test
        let guard = tokio_ctx_core::Context::background().with_cancel();
        let context = (*guard).clone();
        (
            context,
            Box::new(move || {
                guard.cancel_with(CAUSE);
            }),
        )
    }

    fn is_named_by(error: &str) -> bool {
        error.contains(CAUSE)
    }
}
