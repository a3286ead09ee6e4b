//! A signature that a trait dictates.
use tokio_ctx::Context;

impl From<Context> for Request {
    fn from(value: Context) -> Request {
        Request::new(value)
    }
}

impl Handler for Service {
    async fn call(&self, request: Request, context: &Context) {}
}
