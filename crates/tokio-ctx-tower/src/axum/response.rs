//! Errors as responses.

use axum_core::body::Body;
use axum_core::response::{IntoResponse, Response};
use http::{HeaderValue, header};

use crate::context::body::PROBLEM_JSON;
use crate::error::ContextError;

/// The [`status`](ContextError::status), and a body of `application/problem+json` with
/// `status`, [`code`](ContextError::code) and `title`. Nothing of the server is in it.
///
/// The error itself is among the response's extensions, for a layer that logs it.
#[cfg(feature = "axum")] // as its module, for the documentation
impl IntoResponse for ContextError {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.json()));
        *response.status_mut() = self.status();
        let problem = HeaderValue::from_static(PROBLEM_JSON);
        response.headers_mut().insert(header::CONTENT_TYPE, problem);
        response.extensions_mut().insert(self);
        response
    }
}
