//! Values behind `Arc`, aliases and traits of plain data.
use std::borrow::Cow;
use std::sync::Arc;
use tokio_ctx::key;

type UserId = u64;
type Claims = Arc<ClaimSet>;

pub struct ClaimSet {
    scopes: Vec<String>,
    issued: SystemTime,
}

key! {
    pub User: UserId, print;
    pub Verified: Claims;
    pub Route: Cow<'static, str>, print;
    pub Features: Arc<[Feature]>;
    pub Locale: Option<Arc<str>>, print;
    pub Failure: Arc<dyn std::error::Error + Send + Sync>;
}
