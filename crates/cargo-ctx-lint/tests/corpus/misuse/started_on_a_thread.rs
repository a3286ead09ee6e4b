//! A thread that nobody asks to stop.
use std::thread;
use tokio_ctx::Context;

pub async fn index(ctx: &Context, files: Vec<PathBuf>) -> Result<(), Error> {
    thread::spawn(move || { //~ started
        for file in files {
            tokenize(&file);
        }
    });
    ctx.check()?;
    Ok(())
}
