//! How much of a response is to come: [`Extent`], the one place that says where a body ends.

use bytes::Bytes;
use http::{HeaderMap, Method, Response, StatusCode, header};
use http_body::{Body, Frame};
use tokio_ctx_core::Context;

/// What follows the head of a response.
///
/// A server sends what the head promises and drops the body then, often without asking whether
/// there is more. So the end of a body is where its extent says, not where it returns `None`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// Nothing: an answer to HEAD, a 204, an empty body.
    Empty,
    /// Another protocol: the request is over, and the connection is not.
    Upgrade,
    /// As many bytes as are left to send.
    Bytes(u64),
    /// Bytes of an unknown number, which end when they end.
    Stream,
}

/// What a request asks for, by its method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// An answer with a body, if there is one.
    Answer,
    /// HEAD: the head alone.
    Head,
    /// CONNECT: a tunnel.
    Tunnel,
}

impl Asked {
    pub(crate) fn by(method: &Method) -> Asked {
        match *method {
            Method::HEAD => Asked::Head,
            Method::CONNECT => Asked::Tunnel,
            _ => Asked::Answer,
        }
    }
}

impl Extent {
    pub(crate) fn of<B: Body>(asked: Asked, response: &Response<B>) -> Extent {
        let status = response.status();
        let is_connected = asked == Asked::Tunnel && status.is_success();
        if status == StatusCode::SWITCHING_PROTOCOLS || is_connected {
            return Extent::Upgrade;
        }
        let has_no_body = asked == Asked::Head
            || status == StatusCode::NO_CONTENT
            || status == StatusCode::NOT_MODIFIED
            || status.is_informational();
        if has_no_body || response.body().is_end_stream() {
            return Extent::Empty;
        }
        let length = response.body().size_hint().exact();
        match length.or_else(|| length_of(response.headers())) {
            Some(0) => Extent::Empty,
            Some(length) => Extent::Bytes(length),
            None => Extent::Stream,
        }
    }

    /// Whether nothing of the body is to come.
    pub(crate) fn is_over(self) -> bool {
        matches!(self, Extent::Empty | Extent::Upgrade)
    }

    /// Takes note of a frame that is about to be sent.
    pub(crate) fn pass(&mut self, frame: &Frame<Bytes>) {
        if frame.is_trailers() {
            *self = Extent::Empty;
        } else if let Extent::Bytes(left) = *self {
            let length = frame.data_ref().map_or(0, Bytes::len) as u64;
            *self = match left.saturating_sub(length) {
                0 => Extent::Empty,
                left => Extent::Bytes(left),
            };
        }
    }
}

/// What may still pass of a body whose context has ended: a few frames that are ready, so that
/// an answer which is complete is not cut. A stream that is always ready is.
pub(crate) struct LastFrames(u8);

impl LastFrames {
    pub(crate) fn new() -> LastFrames {
        LastFrames(4)
    }

    /// Whether a frame that is ready comes too late.
    pub(crate) fn is_too_late(&mut self, ctx: &Context) -> bool {
        if ctx.is_done() {
            self.0 = self.0.saturating_sub(1);
        }
        self.0 == 0
    }
}

/// A response with a length in its header need not say it again in its body.
fn length_of(headers: &HeaderMap) -> Option<u64> {
    let length = headers.get(header::CONTENT_LENGTH)?;
    length.to_str().ok()?.parse().ok()
}
