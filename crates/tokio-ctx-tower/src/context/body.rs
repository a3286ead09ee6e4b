//! The body of a response, which holds the request's context to its end: [`ContextBody`].

use std::fmt;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio_ctx_core::future::DoneOwned;

use crate::context::end::RequestEnd;
use crate::error::{BoxError, ContextError};

/// How many frames that are ready may still go out once the context has ended: an answer that
/// is complete is not cut, a stream that is always ready is.
const LAST_FRAMES: u8 = 4;

pin_project! {
    /// The body of a response under [`ContextLayer`](crate::ContextLayer).
    ///
    /// It ends the request's context: with
    /// [`RequestFinished`](tokio_ctx_core::Reason::RequestFinished) at its own end, with
    /// [`CallerGone`](tokio_ctx_core::Reason::CallerGone) when it is dropped before. If it has no
    /// known length, it ends with the context in its turn.
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
        on_end: OnEnd,
        // Of a known length, what is still to come: servers read no further.
        left: u64,
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

/// What becomes of a body whose context ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OnEnd {
    /// Its length is known: it is left to finish.
    Finish,
    /// Events just end: the client knows what to do, it reconnects.
    Stop,
    /// A stream of gRPC ends with a status.
    Trailers,
    /// The client must not take a part for the whole.
    Fail,
}

pub(crate) fn is_grpc(content_type: &HeaderValue) -> bool {
    content_type.as_bytes().starts_with(b"application/grpc")
}

impl<B: Body<Data = Bytes>> ContextBody<B> {
    /// The response with its body wrapped. From here on `end` belongs to the body.
    pub(crate) fn wrap(
        response: Response<B>,
        mut end: Option<RequestEnd>,
        is_head: bool,
    ) -> Response<ContextBody<B>> {
        let exact = response.body().size_hint().exact();
        let status = response.status();
        let has_no_body = is_head
            || exact == Some(0)
            || response.body().is_end_stream()
            || status == StatusCode::NO_CONTENT
            || status == StatusCode::NOT_MODIFIED
            || status.is_informational();
        if has_no_body {
            if let Some(end) = &mut end {
                end.done();
            }
            end = None;
        }
        let left = exact.or_else(|| length_of(response.headers()));
        let on_end = match left {
            Some(_) => OnEnd::Finish,
            None => OnEnd::of_stream(response.headers()),
        };
        let left = left.unwrap_or(0);
        response.map(|body| ContextBody {
            end,
            on_end,
            left,
            last_frames: LAST_FRAMES,
            done: None,
            inner: Inner::Body { body },
        })
    }
}

/// Whoever says in a header how long the body is need not say it again in the body.
fn length_of(headers: &HeaderMap) -> Option<u64> {
    headers
        .get(header::CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .parse()
        .ok()
}

impl OnEnd {
    fn of_stream(headers: &HeaderMap) -> OnEnd {
        match headers.get(header::CONTENT_TYPE) {
            Some(content_type) if is_grpc(content_type) => OnEnd::Trailers,
            Some(content_type) if is_events(content_type) => OnEnd::Stop,
            _ => OnEnd::Fail,
        }
    }
}

fn is_events(content_type: &HeaderValue) -> bool {
    content_type.as_bytes().starts_with(b"text/event-stream")
}

/// The answer in the place of a handler that did not give one in time.
pub(crate) fn answer_to<B>(error: &ContextError, is_grpc: bool) -> Response<ContextBody<B>> {
    let mut bytes = None;
    let mut response = Response::new(());
    if is_grpc {
        *response.headers_mut() = grpc_trailers(error);
        let grpc = HeaderValue::from_static("application/grpc");
        response.headers_mut().insert(header::CONTENT_TYPE, grpc);
    } else {
        *response.status_mut() = error.status();
        let problem = HeaderValue::from_static(PROBLEM_JSON);
        response.headers_mut().insert(header::CONTENT_TYPE, problem);
        bytes = Some(Box::new(problem_json(error)));
    }
    response.map(|()| ContextBody {
        end: None,
        on_end: OnEnd::Finish,
        left: 0,
        last_frames: 0,
        done: None,
        inner: Inner::Own { bytes },
    })
}

/// The media type of [`problem_json`]: RFC 9457.
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";

pub(crate) fn problem_json(error: &ContextError) -> Bytes {
    let (status, code, title) = (error.status().as_u16(), error.code(), error.title());
    // None of the three needs an escape.
    Bytes::from(format!(
        r#"{{"status":{status},"code":"{code}","title":"{title}"}}"#
    ))
}

fn grpc_trailers(error: &ContextError) -> HeaderMap {
    let mut trailers = HeaderMap::with_capacity(2);
    trailers.insert("grpc-status", HeaderValue::from(error.grpc_code()));
    trailers.insert("grpc-message", HeaderValue::from_static(error.title()));
    trailers
}

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
            _ if *this.on_end == OnEnd::Finish => false,
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
            return Poll::Ready(error.and_then(|error| match this.on_end {
                OnEnd::Finish | OnEnd::Stop => None,
                OnEnd::Trailers => Some(Ok(Frame::trailers(grpc_trailers(&error)))),
                OnEnd::Fail => Some(Err(error.into())),
            }));
        }
        let is_over = match &polled {
            Poll::Pending => false,
            Poll::Ready(Some(Ok(frame))) => {
                let length = frame.data_ref().map_or(0, Bytes::len) as u64;
                *this.left = this.left.saturating_sub(length);
                let inner = this.inner.as_ref().get_ref();
                let is_all = *this.on_end == OnEnd::Finish && *this.left == 0;
                is_all || frame.is_trailers() || inner.is_over()
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

/// An empty body, as some services want to make one.
impl<B: Default> Default for ContextBody<B> {
    fn default() -> ContextBody<B> {
        ContextBody {
            end: None,
            on_end: OnEnd::Finish,
            left: 0,
            last_frames: 0,
            done: None,
            inner: Inner::Body { body: B::default() },
        }
    }
}

impl<B> fmt::Debug for ContextBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ctx = self.end.as_ref().map(RequestEnd::context);
        f.debug_struct("ContextBody")
            .field("context", &ctx)
            .field("on_end", &self.on_end)
            .finish_non_exhaustive()
    }
}
