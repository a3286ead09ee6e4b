//! The service of one connection, which sees each request come and go: [`Requests`].

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Duration;

use axum_core::body::Body;
use bytes::Bytes;
use http::header::CONNECTION;
use http::{Extensions, HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use pin_project_lite::pin_project;
use tower_service::Service;

use super::state::State;
use super::upgrade::Upgrades;
use super::upload::Upload;
use crate::context::end::answering;

/// Requests that were aborted before their response was over.
#[derive(Debug, Default)]
pub(super) struct Cuts {
    is_cutting: AtomicBool,
    count: AtomicUsize,
}

impl Cuts {
    /// From now on a request that ends is one that was cut off.
    pub(super) fn begin(&self) {
        self.is_cutting.store(true, Ordering::Relaxed);
    }

    pub(super) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }
}

/// `inner` for the requests of one connection.
pub(super) struct Requests<S> {
    pub(super) inner: S,
    pub(super) state: Arc<State>,
    pub(super) cuts: Arc<Cuts>,
    /// What each request gets, the address of its peer for one.
    pub(super) extensions: Extensions,
    /// What a request gets that asks for an upgrade.
    pub(super) upgrades: Arc<Upgrades>,
    pub(super) body_timeout: Option<Duration>,
}

impl<S> Requests<S> {
    /// The request as services take it.
    fn prepare(&self, request: Request<Incoming>) -> Request<Body> {
        let (mut parts, body) = request.into_parts();
        let may_upgrade = parts.extensions.get::<OnUpgrade>().is_some();
        match parts.extensions.is_empty() {
            true => parts.extensions = self.extensions.clone(),
            false => parts.extensions.extend(self.extensions.clone()),
        }
        if may_upgrade {
            parts.extensions.insert(Upgrades::clone(&self.upgrades));
        }
        let body = match (body.is_end_stream(), self.body_timeout) {
            (true, _) => Body::empty(),
            (false, None) => Body::new(body),
            (false, Some(limit)) => Body::new(Upload::new(body, limit)),
        };
        Request::from_parts(parts, body)
    }
}

impl<S, B> hyper::service::Service<Request<Incoming>> for Requests<S>
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible> + Clone,
{
    type Response = Response<Outgoing<B>>;
    type Error = Infallible;
    type Future = Serving<S, S::Future>;

    fn call(&self, request: Request<Incoming>) -> Serving<S, S::Future> {
        self.state.request_begins();
        let version = request.version();
        if version == Version::HTTP_2 {
            self.state.speaks_http2();
        }
        Serving {
            is_connect: request.method() == Method::CONNECT,
            version,
            stage: Stage::Waiting {
                service: self.inner.clone(),
                request: Some(self.prepare(request)),
            },
            in_flight: Some(InFlight {
                state: Arc::clone(&self.state),
                cuts: Arc::clone(&self.cuts),
            }),
        }
    }
}

/// Counts a request from its head to the end of its response.
struct InFlight {
    state: Arc<State>,
    cuts: Arc<Cuts>,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.state.request_ends();
        if self.cuts.is_cutting.load(Ordering::Relaxed) {
            self.cuts.count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

pin_project! {
    /// The future of one response.
    pub(super) struct Serving<S, F> {
        is_connect: bool,
        version: Version,
        #[pin]
        stage: Stage<S, F>,
        // After `stage`: what ends with the request is gone when it no longer counts.
        in_flight: Option<InFlight>,
    }
}

pin_project! {
    #[project = StageProj]
    enum Stage<S, F> {
        Waiting { service: S, request: Option<Request<Body>> },
        Calling { #[pin] response: F },
        Over,
    }
}

impl<S, B> Future for Serving<S, S::Future>
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible>,
{
    type Output = Result<Response<Outgoing<B>>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let mut response = ready!(answering(|| {
            if let StageProj::Waiting { service, request } = this.stage.as_mut().project() {
                let Ok(()) = ready!(service.poll_ready(cx));
                let request = request.take().expect("a request is called once");
                let response = service.call(request);
                this.stage.set(Stage::Calling { response });
            }
            let StageProj::Calling { response } = this.stage.as_mut().project() else {
                unreachable!("a response future is not polled after its end")
            };
            let Ok(response) = ready!(response.poll(cx));
            // Dropped while it is polled: what a layer gives up in there has had an answer.
            this.stage.set(Stage::Over);
            Poll::Ready(response)
        }));
        let in_flight = this.in_flight.take();
        if let Some(InFlight { state, .. }) = &in_flight {
            let is_http2 = *this.version == Version::HTTP_2;
            let status = response.status();
            let is_upgrade = status == StatusCode::SWITCHING_PROTOCOLS
                || *this.is_connect && status.is_success();
            if is_upgrade && !is_http2 {
                state.upgrade();
            } else if !is_http2 && state.is_closing() {
                let close = HeaderValue::from_static("close");
                response.headers_mut().insert(CONNECTION, close);
            }
        }
        Poll::Ready(Ok(response.map(|body| Outgoing { body, in_flight })))
    }
}

pin_project! {
    /// The body of a response, with which its request ends.
    pub(super) struct Outgoing<B> {
        #[pin]
        body: B,
        in_flight: Option<InFlight>,
    }
}

impl<B: HttpBody<Data = Bytes>> HttpBody for Outgoing<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let body = self.project().body;
        answering(|| body.poll_frame(cx))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
