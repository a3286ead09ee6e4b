//! The body of a response, which holds the request's context to its end: [`ContextBody`].

use std::fmt;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use bytes::Bytes;
use http::{Response, header};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio_ctx_core::future::DoneOwned;

use crate::context::end::RequestEnd;
use crate::error::{BoxError, ContextError};
use crate::extent::{self, Asked, Extent};
use crate::protocol::{self, Protocol};

/// How many frames that are ready may still go out once the context has ended: an answer that
/// is complete is not cut, a stream that is always ready is.
const LAST_FRAMES: u8 = 4;

pin_project! {
    /// The body of a response under [`ContextLayer`](crate::ContextLayer).
    ///
    /// It ends the request's context: with
    /// [`RequestFinished`](tokio_ctx_core::Reason::RequestFinished) at its own end, with
    /// [`CallerGone`](tokio_ctx_core::Reason::CallerGone) when it is dropped before. A stream
    /// ends with the context in its turn; a body of known length does not.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::convert::Infallible;
    /// use http::{Request, Response};
    /// use http_body_util::BodyExt as _;
    /// use tokio_ctx::{Context, Reason};
    /// use tokio_ctx::tower::ContextLayer;
    /// use tokio_ctx::tower::context::ContextBody;
    /// # use tower::{ServiceExt, service_fn};
    /// # use tower_layer::Layer;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let handler = service_fn(async |request: Request<()>| {
    ///     let mut response = Response::new("hello".to_owned());
    ///     *response.extensions_mut() = request.extensions().clone();
    ///     Ok::<_, Infallible>(response)
    /// });
    /// let service = ContextLayer::new(&Context::background()).layer(handler);
    /// let (parts, body) = service.oneshot(Request::new(())).await.unwrap().into_parts();
    /// let (ctx, body): (&Context, ContextBody<String>) = (parts.extensions.get().unwrap(), body);
    /// assert!(!ctx.is_done());
    /// assert_eq!(body.collect().await.unwrap().to_bytes(), "hello");
    /// assert_eq!(ctx.err().unwrap().reason(), Reason::RequestFinished);
    /// # }
    /// ```
    pub struct ContextBody<B> {
        // Before `inner`, for the same reason as in the future of the response.
        end: Option<RequestEnd>,
        // What is still to come: servers read no further.
        extent: Extent,
        protocol: Protocol,
        is_encoded: bool,
        // Bytes that were sent since the last whole group of base64.
        in_group: u8,
        last_frames: u8,
        // Made when a stream makes us wait for the first time, which most bodies never do.
        done: Option<Pin<Box<DoneOwned>>>,
        #[pin]
        inner: Inner<B>,
    }
}

pin_project! {
    #[project = InnerProj]
    enum Inner<B> {
        Body { #[pin] body: B },
        // The layer's own answer, and then nothing.
        // In a box: it is rare, and every other body would have to be as large.
        Own { bytes: Option<Box<Bytes>> },
    }
}

impl<B: Body<Data = Bytes>> ContextBody<B> {
    /// The response with its body wrapped. From here on `end` belongs to the body.
    pub(crate) fn wrap(
        asked: Asked,
        response: Response<B>,
        mut end: Option<RequestEnd>,
    ) -> Response<ContextBody<B>> {
        let extent = Extent::of(asked, &response);
        if extent.is_over() {
            if let Some(end) = &mut end {
                end.done();
            }
            end = None;
        }
        let protocol = Protocol::of(response.headers());
        let is_encoded = extent::is_encoded(response.headers());
        response.map(|body| ContextBody {
            end,
            extent,
            protocol,
            is_encoded,
            in_group: 0,
            last_frames: LAST_FRAMES,
            done: None,
            inner: Inner::Body { body },
        })
    }
}

/// The answer in the place of a handler that did not give one in time.
pub(crate) fn answer_to<B>(error: &ContextError, protocol: Protocol) -> Response<ContextBody<B>> {
    let mut response = Response::new(());
    let mut bytes = None;
    if protocol.is_grpc() {
        *response.headers_mut() = protocol::grpc_status(error);
    } else {
        *response.status_mut() = error.status();
        bytes = Some(Box::new(Bytes::from_static(error.json().as_bytes())));
    }
    let content_type = protocol.content_type();
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, content_type);
    response.map(|()| ContextBody {
        inner: Inner::Own { bytes },
        ..ContextBody::empty()
    })
}

/// The media type of [`ContextError::json`]: RFC 9457.
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";

impl<B> Body for ContextBody<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut this = self.project();
        let polled = match this.inner.as_mut().project() {
            InnerProj::Own { bytes } => {
                return Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(*bytes))));
            }
            InnerProj::Body { body } => match this.end {
                Some(end) => end.while_polling(|| body.poll_frame(cx)),
                None => body.poll_frame(cx),
            },
        };
        let Some(end) = this.end else {
            return polled.map_err(Into::into);
        };
        let is_cut = match &polled {
            _ if !is_cut_with_context(*this.extent, *this.protocol) => false,
            Poll::Ready(Some(Ok(_))) if !end.context().is_done() => false,
            Poll::Ready(Some(Ok(_))) => {
                *this.last_frames = this.last_frames.saturating_sub(1);
                *this.last_frames == 0
            }
            Poll::Ready(_) => false,
            Poll::Pending => {
                let done = || Box::pin(end.context().done_owned());
                this.done
                    .get_or_insert_with(done)
                    .as_mut()
                    .poll(cx)
                    .is_ready()
            }
        };
        if is_cut {
            let cancelled = end.cancelled();
            *this.end = None;
            *this.done = None;
            // What the stream holds is let go at once.
            this.inner.set(Inner::Own { bytes: None });
            let error = cancelled.map(ContextError::from);
            return Poll::Ready(error.and_then(|error| match this.protocol {
                Protocol::Events => None,
                // What an encoder made cannot be continued in plain.
                protocol if !*this.is_encoded => {
                    match protocol.last_frame(&error, *this.in_group == 0) {
                        Some(frame) => Some(Ok(frame)),
                        None => Some(Err(error.into())),
                    }
                }
                _ => Some(Err(error.into())),
            }));
        }
        let is_over = match &polled {
            Poll::Pending => false,
            Poll::Ready(Some(Ok(frame))) => {
                let length = frame.data_ref().map_or(0, Bytes::len);
                *this.in_group = (*this.in_group + (length % 4) as u8) % 4;
                this.extent.pass(frame);
                this.extent.is_over() || this.inner.as_ref().get_ref().is_over()
            }
            Poll::Ready(None | Some(Err(_))) => true,
        };
        if is_over {
            end.done();
            *this.end = None;
            *this.done = None;
        }
        polled.map_err(Into::into)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_over()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.inner {
            Inner::Own { bytes } => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len()) as u64)
            }
            Inner::Body { body } => body.size_hint(),
        }
    }
}

impl<B: Body<Data = Bytes>> Inner<B> {
    fn is_over(&self) -> bool {
        match self {
            Inner::Own { bytes } => bytes.is_none(),
            Inner::Body { body } => body.is_end_stream(),
        }
    }
}

impl<B> ContextBody<B> {
    /// The body of an answer that has none.
    fn empty() -> ContextBody<B> {
        ContextBody {
            end: None,
            extent: Extent::Empty,
            protocol: Protocol::Http,
            is_encoded: false,
            in_group: 0,
            last_frames: 0,
            done: None,
            inner: Inner::Own { bytes: None },
        }
    }
}

/// Whether the end of its context cuts a body off.
///
/// One whose length is known is left to finish, and so is one that was encoded on the way,
/// since whether that was whole can no longer be seen. What says itself that it is a stream is
/// one, encoded or not.
fn is_cut_with_context(extent: Extent, protocol: Protocol) -> bool {
    match extent {
        Extent::Stream => true,
        Extent::Encoded => protocol != Protocol::Http,
        Extent::Empty | Extent::Upgrade | Extent::Bytes(_) => false,
    }
}

/// An empty body, as some services want to make one.
impl<B: Default> Default for ContextBody<B> {
    fn default() -> ContextBody<B> {
        ContextBody {
            inner: Inner::Body { body: B::default() },
            ..ContextBody::empty()
        }
    }
}

impl<B> fmt::Debug for ContextBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ctx = self.end.as_ref().map(RequestEnd::context);
        f.debug_struct("ContextBody")
            .field("context", &ctx)
            .field("extent", &self.extent)
            .field("protocol", &self.protocol)
            .finish_non_exhaustive()
    }
}
