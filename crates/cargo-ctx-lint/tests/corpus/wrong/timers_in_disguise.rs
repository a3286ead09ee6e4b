//! A sleep that is kept, and one that stops the thread.
use tokio::time::sleep;
use tokio_ctx::Context;

async fn pause(ctx: &Context) {
    let nap = sleep(PAUSE);
    ctx.check();
    nap.await; //~ bare-timer
    std::thread::sleep(PAUSE); //~ bare-timer
}
