//! The body of an answer: [`ViewBody`].

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio_ctx_core::Context;
use tokio_ctx_core::future::DoneOwned;

use crate::look::Shared;

/// How often a stream says what runs now.
const EVERY: Duration = Duration::from_millis(500);

/// The body of an answer of a [`View`](crate::View): a text, or a stream of them that goes on
/// until the client leaves or the view's context ends.
pub struct ViewBody(Kind);

enum Kind {
    Whole(Bytes),
    Stream(Stream),
}

struct Stream {
    shared: Arc<Shared>,
    format: StreamFormat,
    /// `None` before the first text. A context with a deadline is the clock: it needs no timer
    /// of the runtime's, and ends with the server.
    // ctx-lint: allow(context-in-struct) one pause, made by the poll that waits for it
    pause: Option<(Context, Pin<Box<DoneOwned>>)>,
}

#[derive(Clone, Copy)]
pub(crate) enum StreamFormat {
    /// Texts, each under a line with the time.
    Text,
    /// Server-sent events with JSON.
    Events,
}

impl ViewBody {
    pub(crate) fn whole(bytes: impl Into<Bytes>) -> ViewBody {
        ViewBody(Kind::Whole(bytes.into()))
    }

    pub(crate) fn stream(shared: Arc<Shared>, format: StreamFormat) -> ViewBody {
        ViewBody(Kind::Stream(Stream {
            shared,
            format,
            pause: None,
        }))
    }
}

impl Stream {
    fn poll_next(&mut self, cx: &mut TaskContext<'_>) -> Poll<Option<Bytes>> {
        if let Some((_, pause)) = &mut self.pause {
            let _ended = ready!(pause.as_mut().poll(cx));
        }
        if self.shared.ctx.is_done() {
            return Poll::Ready(None);
        }
        let pause = self.shared.ctx.with_timeout(EVERY);
        let done = Box::pin(pause.done_owned());
        self.pause = Some((pause, done));
        let looked = self.shared.look();
        Poll::Ready(Some(match self.format {
            StreamFormat::Text => looked.text(),
            StreamFormat::Events => {
                let json = looked.json();
                let mut event = Vec::with_capacity(json.len() + 8);
                event.extend_from_slice(b"data: ");
                event.extend_from_slice(&json);
                event.extend_from_slice(b"\n\n");
                event.into()
            }
        }))
    }
}

impl Body for ViewBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let data = match &mut self.0 {
            Kind::Whole(bytes) if bytes.is_empty() => None,
            Kind::Whole(bytes) => Some(std::mem::take(bytes)),
            Kind::Stream(stream) => ready!(stream.poll_next(cx)),
        };
        Poll::Ready(data.map(|data| Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(&self.0, Kind::Whole(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Kind::Stream(_) => SizeHint::default(),
        }
    }
}

impl fmt::Debug for ViewBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.0 {
            Kind::Whole(_) => "whole",
            Kind::Stream(_) => "stream",
        };
        f.debug_tuple("ViewBody").field(&kind).finish()
    }
}
