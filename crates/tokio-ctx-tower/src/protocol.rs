//! Which protocol a message speaks: [`Protocol`], the one place that reads a content type.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, Request, header};
use http_body::Frame;

use crate::error::ContextError;

/// The protocol of a request or a response, by its content type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// Anything that HTTP carries.
    Http,
    /// Server-sent events: a client whose stream ends connects again.
    Events,
    /// gRPC over HTTP/2: the status of a call is in the trailers.
    Grpc,
    /// grpc-web: the status is the last message of the body, which has a flag for it.
    GrpcWeb,
    /// grpc-web as text: the body is base64.
    GrpcWebText,
}

/// The flag of the grpc-web message that holds the trailers.
const TRAILERS_FLAG: u8 = 0x80;

impl Protocol {
    /// What a request speaks. Calls of gRPC are POSTs: no other request is looked through.
    pub(crate) fn of_request<B>(request: &Request<B>) -> Protocol {
        match *request.method() {
            Method::POST => Protocol::of(request.headers()),
            _ => Protocol::Http,
        }
    }

    /// Anything that is not recognised is [`Protocol::Http`].
    pub(crate) fn of(headers: &HeaderMap) -> Protocol {
        let Some(value) = headers.get(header::CONTENT_TYPE) else {
            return Protocol::Http;
        };
        let media_type = value.as_bytes();
        let end = media_type.iter().position(|byte| *byte == b';');
        let media_type = media_type[..end.unwrap_or(media_type.len())].trim_ascii();
        // The suffix names the coding of the messages: `+proto`, `+json`.
        let end = media_type.iter().position(|byte| *byte == b'+');
        let essence = &media_type[..end.unwrap_or(media_type.len())];
        let is = |name: &str| essence.eq_ignore_ascii_case(name.as_bytes());
        match () {
            () if is("application/grpc") => Protocol::Grpc,
            () if is("application/grpc-web") => Protocol::GrpcWeb,
            () if is("application/grpc-web-text") => Protocol::GrpcWebText,
            () if end.is_none() && is("text/event-stream") => Protocol::Events,
            () => Protocol::Http,
        }
    }

    /// Whether calls end with a status of gRPC.
    pub(crate) fn is_grpc(self) -> bool {
        !matches!(self, Protocol::Http | Protocol::Events)
    }

    /// The content type of an answer that the layer gives itself.
    pub(crate) fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Protocol::Http | Protocol::Events => crate::context::body::PROBLEM_JSON,
            Protocol::Grpc => "application/grpc",
            Protocol::GrpcWeb => "application/grpc-web+proto",
            Protocol::GrpcWebText => "application/grpc-web-text+proto",
        })
    }

    /// The frame that ends a stream of gRPC with the status of `error`; `None` where the
    /// protocol has none.
    ///
    /// `is_between_groups` says whether the text so far ends with a whole group of base64. One
    /// that does not can take no status: what follows would not decode.
    pub(crate) fn last_frame(
        self,
        error: &ContextError,
        is_between_groups: bool,
    ) -> Option<Frame<Bytes>> {
        match self {
            Protocol::Http | Protocol::Events => None,
            Protocol::Grpc => Some(Frame::trailers(grpc_status(error))),
            Protocol::GrpcWeb => Some(Frame::data(trailers_message(error))),
            Protocol::GrpcWebText if is_between_groups => Some(Frame::data(
                BASE64_STANDARD.encode(trailers_message(error)).into(),
            )),
            Protocol::GrpcWebText => None,
        }
    }
}

/// The status as headers or trailers of gRPC.
pub(crate) fn grpc_status(error: &ContextError) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(2);
    headers.insert("grpc-status", HeaderValue::from(error.grpc_code()));
    headers.insert("grpc-message", HeaderValue::from_static(error.title()));
    headers
}

/// The status as the last message of a grpc-web body.
fn trailers_message(error: &ContextError) -> Bytes {
    let (code, title) = (error.grpc_code(), error.title());
    let text = format!("grpc-status:{code}\r\ngrpc-message:{title}\r\n");
    let mut message = BytesMut::with_capacity(5 + text.len());
    message.put_u8(TRAILERS_FLAG);
    message.put_u32(u32::try_from(text.len()).unwrap_or(u32::MAX));
    message.put_slice(text.as_bytes());
    message.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(content_type: &'static str) -> Protocol {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        Protocol::of(&headers)
    }

    #[test]
    fn each_content_type_is_one_protocol() {
        assert_eq!(Protocol::of(&HeaderMap::new()), Protocol::Http);
        for (content_type, protocol) in [
            ("application/grpc", Protocol::Grpc),
            ("application/grpc+proto", Protocol::Grpc),
            ("Application/GRPC+json; charset=utf-8", Protocol::Grpc),
            ("application/grpc-web", Protocol::GrpcWeb),
            ("application/grpc-web+proto", Protocol::GrpcWeb),
            ("application/grpc-web-text", Protocol::GrpcWebText),
            ("application/grpc-web-text+proto", Protocol::GrpcWebText),
            ("text/event-stream", Protocol::Events),
            ("text/Event-Stream ;charset=utf-8", Protocol::Events),
            ("application/grpcish", Protocol::Http),
            ("application/grpc-websocket", Protocol::Http),
            ("text/event-streams", Protocol::Http),
            ("text/plain", Protocol::Http),
            ("", Protocol::Http),
        ] {
            assert_eq!(of(content_type), protocol, "{content_type:?}");
        }
    }

    #[test]
    fn only_a_post_is_a_call_of_grpc() {
        for (method, protocol) in [
            (Method::POST, Protocol::Grpc),
            (Method::GET, Protocol::Http),
            (Method::OPTIONS, Protocol::Http),
        ] {
            let request = Request::builder()
                .method(&method)
                .header(header::CONTENT_TYPE, "application/grpc")
                .body(())
                .unwrap();
            assert_eq!(Protocol::of_request(&request), protocol, "{method}");
        }
    }
}
