//! Threads that ask, and threads whose queue ends.
use std::sync::mpsc;
use tokio_ctx::Scope;

pub fn writer(s: &Scope<Error>, lines: mpsc::Receiver<Line>, mut file: File) {
    s.spawn_blocking(move |ctx| {
        while ctx.check().is_ok() {
            match lines.recv_timeout(PERIOD) {
                Ok(line) => file.write_all(line.as_bytes())?,
                Err(_) => continue,
            }
        }
        file.sync_all()?;
        Ok(())
    });
}

pub fn rows(s: &Scope<Error>, rows: Vec<Row>) {
    s.spawn_blocking(move |ctx| {
        for row in rows {
            ctx.check()?;
            row.crunch();
        }
        Ok(())
    });
}
