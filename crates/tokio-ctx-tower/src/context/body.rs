//! The body of a response, which holds the request's context to its end: [`ContextBody`].

use std::fmt;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use bytes::Bytes;
use http::{Response, header};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::context::cut_off::CutOff;
use crate::context::end::RequestEnd;
use crate::error::{BoxError, ContextError};
use crate::extent::{Asked, Extent};
use crate::protocol::{self, Protocol};

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
        // `None` if the body is left to finish.
        cut_off: Option<CutOff>,
        #[pin]
        inner: Inner<B>,
    }
}

pin_project! {
    #[project = InnerProj]
    enum Inner<B> {
        Body { #[pin] body: B },
        // The layer's own answer, and then nothing.
        // In a box: few bodies are this one, and every other body would have to be as large.
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
        let cut_off = CutOff::of(extent, response.headers());
        response.map(|body| ContextBody {
            end,
            extent,
            cut_off,
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
        if let Some(cut_off) = this.cut_off
            && cut_off.is_due(end.context(), &polled, cx)
        {
            let last = end.cancelled().and_then(|why| cut_off.last(why));
            *this.end = None;
            *this.cut_off = None;
            // What the stream holds is let go at once.
            this.inner.set(Inner::Own { bytes: None });
            return Poll::Ready(last);
        }
        let is_over = match &polled {
            Poll::Pending => false,
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(cut_off) = this.cut_off {
                    cut_off.pass(frame);
                }
                this.extent.pass(frame);
                this.extent.is_over() || this.inner.as_ref().get_ref().is_over()
            }
            Poll::Ready(None | Some(Err(_))) => true,
        };
        if is_over {
            end.done();
            *this.end = None;
            *this.cut_off = None;
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
            cut_off: None,
            inner: Inner::Own { bytes: None },
        }
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
            .field("is_cut_off", &self.cut_off.is_some())
            .finish_non_exhaustive()
    }
}
