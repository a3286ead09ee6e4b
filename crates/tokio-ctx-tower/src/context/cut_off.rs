//! How the end of its context cuts a stream off: [`CutOff`].

use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use bytes::Bytes;
use http::{HeaderMap, header};
use http_body::Frame;
use tokio_ctx_core::future::DoneOwned;
use tokio_ctx_core::{Cancelled, Context};

use crate::error::{BoxError, ContextError};
use crate::extent::{Extent, LastFrames};
use crate::protocol::Protocol;

/// What has to be known of a body that ends with its context.
pub(crate) struct CutOff {
    protocol: Protocol,
    is_encoded: bool,
    /// Bytes that were sent since the last whole group of base64.
    in_group: u8,
    last_frames: LastFrames,
    /// Made when the stream makes us wait for the first time, which most never do.
    done: Option<Pin<Box<DoneOwned>>>,
}

impl CutOff {
    /// `None` if the body is left to finish: its length is known, or it was encoded on the way,
    /// so that it can no longer be seen whether it was whole. What says itself that it is a
    /// stream is one, encoded or not.
    pub(crate) fn of(extent: Extent, headers: &HeaderMap) -> Option<CutOff> {
        if extent != Extent::Stream {
            return None;
        }
        let (protocol, is_encoded) = (Protocol::of(headers), is_encoded(headers));
        let is_stream = !is_encoded || protocol != Protocol::Http;
        is_stream.then_some(CutOff {
            protocol,
            is_encoded,
            in_group: 0,
            last_frames: LastFrames::new(),
            done: None,
        })
    }

    /// Whether what the body just said is to be replaced by the [last](Self::last) that is sent.
    pub(crate) fn is_due<E>(
        &mut self,
        ctx: &Context,
        polled: &Poll<Option<Result<Frame<Bytes>, E>>>,
        cx: &mut TaskContext<'_>,
    ) -> bool {
        match polled {
            Poll::Pending => {
                let done = || Box::pin(ctx.done_owned());
                let done = self.done.get_or_insert_with(done).as_mut();
                done.poll(cx).is_ready()
            }
            Poll::Ready(Some(Ok(_))) => self.last_frames.is_too_late(ctx),
            Poll::Ready(_) => false,
        }
    }

    /// Takes note of a frame that is about to be sent.
    pub(crate) fn pass(&mut self, frame: &Frame<Bytes>) {
        let length = frame.data_ref().map_or(0, Bytes::len);
        self.in_group = (self.in_group + (length % 4) as u8) % 4;
    }

    /// What the client gets in place of the rest: `None` for a quiet end.
    pub(crate) fn last(&self, cancelled: Cancelled) -> Option<Result<Frame<Bytes>, BoxError>> {
        if self.protocol == Protocol::Events {
            return None;
        }
        let error = ContextError::from(cancelled);
        // What an encoder made cannot be continued in plain.
        let frame = match self.is_encoded {
            true => None,
            false => self.protocol.last_frame(&error, self.in_group == 0),
        };
        Some(frame.ok_or_else(|| error.into()))
    }
}

/// Whether a layer, or the handler, has compressed the body.
fn is_encoded(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_ENCODING)
        .is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"))
}
