//! Data behind pointers, errors, and types whose names only look busy.
use std::error::Error;
use std::sync::Arc;
use tokio_ctx::{Key, key};

pub struct Route {
    template: Arc<str>,
    params: Vec<(String, String)>,
}

type Shared = Arc<Route>;

key! {
    pub Current: Shared;
    pub Why: Arc<dyn Error + Send + Sync + 'static>;
    pub Tags: Box<[Box<str>]>;
}

struct Tenant;

impl Key for Tenant {
    type Value = Option<Arc<Vec<u64>>>;
}
