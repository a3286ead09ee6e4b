//! Statics, thread-locals and aliases that hold everything but a context.
use std::cell::RefCell;
use std::sync::{Arc, LazyLock, OnceLock};
use tokio_ctx::{CancelHandle, Cancelled, Context};

static LIMITS: LazyLock<Vec<Limit>> = LazyLock::new(read_limits);
static SHUTDOWN: OnceLock<CancelHandle> = OnceLock::new();
static HOOK: OnceLock<fn(&Context) -> bool> = OnceLock::new();

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

type Handler = Arc<dyn Fn(&Context, Request) -> Response + Send + Sync>;
type Outcome = Result<Response, Cancelled>;

pub struct Router {
    routes: Vec<(String, Handler)>,
    last: Option<Outcome>,
}
