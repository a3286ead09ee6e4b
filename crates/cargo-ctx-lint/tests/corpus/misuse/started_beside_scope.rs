//! A scope is at hand, and the task goes past it.
use tokio_ctx::Scope;

pub fn watch(s: &Scope<Error>, path: PathBuf) {
    tokio::spawn(async move { //~ started
        let mut events = open(&path).await;
        while let Some(event) = events.next().await {
            apply(event).await;
        }
    });
}
