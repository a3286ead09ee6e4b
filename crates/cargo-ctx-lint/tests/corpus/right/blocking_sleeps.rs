//! A thread of one's own may sleep; tests may as well.
use std::thread;
use tokio_ctx::{Context, Scope};

fn poll(s: &Scope<Error>, device: Device) {
    s.spawn_blocking(move |ctx| {
        while ctx.check().is_ok() {
            device.read()?;
            thread::sleep(PERIOD);
        }
        Ok(())
    });
}

fn blocking(ctx: &Context) -> Result<(), Error> {
    ctx.check()?;
    thread::sleep(PERIOD);
    Ok(())
}
