//! The receiver's type is not written down, but only our contexts have the method.
use tokio_ctx::Context;

fn start(request: &Request) {
    let _ = request.context().with_cancel(); //~ guard-dropped
    let child = request.context().with_cancel().with_timeout(LIMIT); //~ guard-dropped
}
