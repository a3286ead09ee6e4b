//! A turnstile: a thread waits until it opens, or until its context ends.

use std::future::poll_fn;
use std::task::{Context as TaskContext, Poll, Waker};

use tokio_ctx::{Cancelled, Context};

use crate::sync::Mutex;

/// Opened once.
#[derive(Debug)]
pub struct Turnstile {
    queue: Mutex<Queue>,
}

#[derive(Debug)]
struct Queue {
    is_open: bool,
    waiting: Vec<Waker>,
}

impl Turnstile {
    /// Lets everybody through who waits, and who comes later.
    pub fn open(&self) {
        let waiting = {
            let mut queue = self.queue.lock().unwrap();
            queue.is_open = true;
            std::mem::take(&mut queue.waiting)
        };
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Looks and queues in one step.
    ///
    /// # Errors
    ///
    /// When the context ends first.
    pub async fn pass(&self, ctx: &Context) -> Result<(), Cancelled> {
        ctx.run(poll_fn(|cx| self.poll(cx))).await
    }

    fn poll(&self, cx: &TaskContext<'_>) -> Poll<()> {
        let mut queue = self.queue.lock().unwrap();
        if queue.is_open {
            return Poll::Ready(());
        }
        queue.waiting.push(cx.waker().clone());
        Poll::Pending
    }

    /// Looks, and then queues: who is between the two when it opens waits for ever.
    ///
    /// # Errors
    ///
    /// When the context ends first.
    pub async fn pass_hastily(&self, ctx: &Context) -> Result<(), Cancelled> {
        ctx.run(poll_fn(|cx| self.poll_hastily(cx))).await
    }

    fn poll_hastily(&self, cx: &TaskContext<'_>) -> Poll<()> {
        if self.queue.lock().unwrap().is_open {
            return Poll::Ready(());
        }
        self.queue.lock().unwrap().waiting.push(cx.waker().clone());
        Poll::Pending
    }
}

impl Default for Turnstile {
    fn default() -> Turnstile {
        Turnstile {
            queue: Mutex::new(Queue {
                is_open: false,
                waiting: Vec::new(),
            }),
        }
    }
}
