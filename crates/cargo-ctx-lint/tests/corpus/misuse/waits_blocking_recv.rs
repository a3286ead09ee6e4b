//! On a blocking thread, where nothing wakes it either.
use tokio_ctx::Scope;

pub fn writer(s: &Scope<Error>, mut lines: Lines, mut file: File) {
    s.spawn_blocking(move |ctx| {
        while let Some(line) = lines.blocking_recv() { //~ waits
            file.write_all(line.as_bytes())?;
        }
        ctx.check()?;
        Ok(())
    });
}
