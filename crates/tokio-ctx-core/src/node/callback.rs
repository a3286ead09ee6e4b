//! Callbacks: kept in the node, so that a node that is dropped drops them too.

use std::sync::Arc;

use super::state::{Callback, Extra};
use super::tree::Node;
use super::wait::start_watch;
use crate::cancelled::{Cancelled, Place};
use crate::foreign;

/// A callback in a node.
pub(crate) struct Registration {
    node: Arc<Node>,
    key: usize,
}

impl Node {
    /// Runs `run` once when this node ends: now, if it has. The registration is `None` when
    /// it ran.
    pub(crate) fn on_cancel(
        self: &Arc<Node>,
        run: Box<dyn FnOnce(&Cancelled) + Send>,
        registered_at: Place,
    ) -> Option<Registration> {
        let mut callback = Callback { run, registered_at };
        if let Some(token) = self.armed_token() {
            // Made ahead of the lock: a token's future takes the token's own lock to be dropped.
            let mut watch = Some(Box::pin(token.clone().cancelled_owned()));
            let waker = self.waker(None);
            let mut is_over = false;
            let key = {
                let mut state = self.state.lock();
                match state.extra() {
                    Some(extra) => {
                        is_over = start_watch(&mut extra.watch, &mut watch, &waker);
                        Ok(extra.callbacks.insert(callback))
                    }
                    None => Err(callback),
                }
            };
            if is_over {
                self.relay();
            }
            match key {
                Ok(key) => {
                    let node = Arc::clone(self);
                    return Some(Registration { node, key });
                }
                Err(late) => callback = late,
            }
        }
        call(callback, &self.ended_outcome());
        None
    }

    /// Runs the callbacks of `extra`, which was taken out of this node for good.
    pub(super) fn run(&self, mut extra: Extra) {
        if let Some(cancelled) = extra.outcome {
            for callback in extra.callbacks.drain() {
                call(callback, &cancelled);
            }
        }
    }
}

impl Registration {
    /// Takes the callback out. Returns whether that prevented it.
    pub(crate) fn stop(self) -> bool {
        let (callback, watch, extra);
        {
            let mut state = self.node.state.lock();
            // Keys are not used again while a registration holds them: only it can remove
            // its callback, or the end of the node all of them, and that is final.
            let Some(found) = state.busy() else {
                return false;
            };
            callback = found.callbacks.try_remove(self.key);
            let is_last = found.callbacks.is_empty();
            watch = found.watch.take_if(|_| is_last);
            extra = state.tidy();
        }
        // Invariant 3: dropped here.
        let prevented = callback.is_some();
        drop((watch, extra));
        foreign::release(callback);
        prevented
    }
}

/// Runs one callback.
fn call(callback: Callback, cancelled: &Cancelled) {
    let what = "an on_cancel callback";
    let run = || (callback.run)(cancelled);
    foreign::call(what, callback.registered_at, Some(cancelled), run);
}
