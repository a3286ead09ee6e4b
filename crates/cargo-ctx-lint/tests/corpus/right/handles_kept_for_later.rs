//! Runtime handles and trackers in functions without a context.
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;
use tokio_ctx::CancelHandle;

struct Bridge {
    runtime: Handle,
    tasks: TaskTracker,
    stop: CancelHandle,
}

impl Bridge {
    fn call(&self, work: Work) {
        self.runtime.spawn(work.run());
        self.tasks.spawn(work.again());
    }
}
