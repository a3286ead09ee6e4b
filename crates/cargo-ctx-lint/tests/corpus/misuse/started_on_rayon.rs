//! A pool of threads with its own idea of time.
use tokio_ctx::Context;

pub async fn thumbnails(ctx: &Context, images: Vec<Image>) -> Result<(), Error> {
    let (done, finished) = tokio::sync::oneshot::channel();
    rayon::spawn(move || { //~ started
        for image in images {
            image.shrink();
        }
        let _ = done.send(());
    });
    ctx.run(finished).await??;
    Ok(())
}
