//! A context for each request: what [`ContextLayer`](crate::ContextLayer) is made of.

pub(crate) mod body;
pub(crate) mod config;
pub(crate) mod cut_off;
pub(crate) mod end;
pub(crate) mod future;
pub(crate) mod layer;
pub(crate) mod service;
pub(crate) mod summary;

pub use self::body::ContextBody;
pub use self::future::ResponseFuture;
pub use self::service::ContextService;
pub use self::summary::RequestSummary;
pub use crate::error::DeadlineSource;
