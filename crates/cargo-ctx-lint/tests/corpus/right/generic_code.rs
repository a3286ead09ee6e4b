//! Generics, traits and macros around contexts.
use std::future::Future;
use tokio_ctx::Context;

pub trait Handler: Send + Sync {
    fn call(&self, ctx: &Context, request: Request) -> impl Future<Output = Response> + Send;
}

pub async fn retry<T, E, F, Fut>(ctx: &Context, mut attempt: F) -> Result<T, E>
where
    F: FnMut(Context) -> Fut,
    Fut: Future<Output = Result<T, E>>,
    E: From<tokio_ctx::Cancelled>,
{
    let mut pause = PAUSE;
    loop {
        match attempt(ctx.clone()).await {
            Ok(value) => return Ok(value),
            Err(_) => ctx.run(tokio::time::sleep(pause)).await?,
        }
        pause *= 2;
    }
}

macro_rules! under {
    ($ctx:expr, $work:expr) => {
        $ctx.run($work).await?
    };
}

pub async fn both(ctx: &Context) -> Result<(), Error> {
    under!(ctx, first());
    under!(&ctx.with_timeout(LIMIT), second());
    Ok(())
}
