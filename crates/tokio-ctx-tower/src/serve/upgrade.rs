//! What follows an upgrade: [`Upgrade`].

use std::fmt;
use std::panic::Location;

use axum_core::extract::FromRequestParts;
use http::StatusCode;
use http::request::Parts;
use spawn_scoped::Spawner;
use tokio_ctx_core::owner::in_flight::{self, InFlight};
use tokio_ctx_core::{CancelGuard, Context, Reason, owner};

use crate::axum::refusal;

/// What follows an upgrade, a WebSocket for one: an extractor, under [`serve`](super::serve).
///
/// The context of a request ends with its response, and the response of an upgrade comes
/// first. What follows gets a context of its own, with the request's values and without its
/// deadline. It ends as soon as the server stops, so that there is time to say goodbye; after
/// the [drain](super::ServeOptions::drain) the socket fails.
///
/// # Errors
///
/// A 500 when the request came in by another server or asks for no upgrade.
///
/// # Examples
///
/// ```
/// use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
/// use axum::response::Response;
/// use tokio_ctx::Context;
/// use tokio_ctx::tower::serve::Upgrade;
///
/// async fn echo(upgrade: Upgrade, ws: WebSocketUpgrade) -> Response {
///     ws.on_upgrade(|socket| upgrade.run(async move |ctx| talk(&ctx, socket).await))
/// }
///
/// async fn talk(ctx: &Context, mut socket: WebSocket) {
///     while let Ok(Some(Ok(message))) = ctx.run(socket.recv()).await {
///         if socket.send(message).await.is_err() {
///             return; // the client is gone
///         }
///     }
///     drop(socket.send(Message::Close(None)).await); // the server stops
/// }
/// # let _: axum::Router = axum::Router::new().route("/echo", axum::routing::any(echo));
/// ```
#[cfg(feature = "axum")] // as its module, for the documentation
#[must_use = "the work after an upgrade is joined only if it is run by this"]
pub struct Upgrade {
    tasks: Spawner,
    ctx: CancelGuard,
    location: &'static Location<'static>,
    in_flight: InFlight,
}

impl Upgrade {
    /// The context of what follows: with the values of the request, and its own end.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.ctx
    }

    /// Runs `f` in a task of the server, which joins it when it stops.
    ///
    /// Its context ends with it, and so does what was started under that.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves a task that was started to the server.
    pub async fn run<F, Fut>(self, f: F)
    where
        F: FnOnce(Context) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let Upgrade {
            tasks,
            ctx,
            location,
            in_flight,
        } = self;
        let own = Context::clone(&ctx);
        let end = End {
            ctx,
            location,
            in_flight,
        };
        let task = tasks.task().name("upgraded").under(&own);
        let task = task.spawn(move |ctx| async move {
            let _end = end;
            f(ctx).await;
        });
        // Refused only if the server is about to end, and so is the socket then.
        drop(task.await);
    }
}

/// Ends the context with the work it was for.
struct End {
    ctx: CancelGuard,
    location: &'static Location<'static>,
    in_flight: InFlight,
}

impl Drop for End {
    fn drop(&mut self) {
        let finished = owner::cancelled(Reason::RequestFinished, self.location, None);
        owner::cancel(&self.ctx.handle(), finished);
        self.in_flight.finish(&self.ctx, self.location);
    }
}

/// Given to each request that asks for an upgrade.
#[derive(Clone)]
pub(super) struct Upgrades {
    pub(super) tasks: Spawner,
    pub(super) lifetime: Context,
    pub(super) location: &'static Location<'static>,
}

impl<S: Sync> FromRequestParts<S> for Upgrade {
    type Rejection = (StatusCode, &'static str);

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Upgrade, Self::Rejection> {
        let upgrades = parts.extensions.get::<Upgrades>().cloned();
        let upgrades = upgrades.ok_or_else(|| {
            refusal("the request asks for no upgrade, or the server was not started by `serve`")
        })?;
        let values = parts.extensions.get::<Context>();
        let ctx = match values {
            Some(ctx) => ctx.detach_onto(&upgrades.lifetime),
            None => upgrades.lifetime,
        };
        let ctx = ctx.with_cancel();
        let in_flight = in_flight::enter("upgrade", &ctx, |label| label.push_str(parts.uri.path()));
        Ok(Upgrade {
            tasks: upgrades.tasks,
            ctx,
            location: upgrades.location,
            in_flight,
        })
    }
}

impl fmt::Debug for Upgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upgrade")
            .field("context", self.context())
            .finish_non_exhaustive()
    }
}
