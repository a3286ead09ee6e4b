//! The key that ties a request to its check.

use http::HeaderName;
use tokio_ctx::key;
use tokio_ctx::tower::headers::HeaderKey;

key! {
    /// Which check a request belongs to.
    pub(crate) CheckId: String, print;
}

impl HeaderKey for CheckId {
    const HEADER: HeaderName = HeaderName::from_static("x-id");
    const MAX_BYTES: usize = 64;

    fn decode(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    fn encode(id: &String) -> Option<String> {
        Some(id.clone())
    }
}
