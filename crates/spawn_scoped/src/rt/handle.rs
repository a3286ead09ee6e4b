//! The handle of a task, or of a job on the blocking pool.

use std::sync::Weak;
use std::task::{Context, Poll};

use super::gone::Gone;
#[cfg(any(loom, shuttle))]
use super::modelled::{Promised, Running};
#[cfg(not(any(loom, shuttle)))]
use super::native::{Promised, Running};
use super::queued::Job;

/// Awaits one task, or one job on the blocking pool.
pub(crate) enum JoinHandle<T> {
    Task(Running<T>),
    Job(Promised<T>, Weak<Job>),
}

impl<T> JoinHandle<T> {
    pub(crate) fn is_finished(&self) -> bool {
        match self {
            JoinHandle::Task(task) => task.is_finished(),
            JoinHandle::Job(_, job) => job.upgrade().is_none_or(|job| job.is_finished()),
        }
    }

    pub(crate) fn poll_joined(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, Gone>> {
        match self {
            JoinHandle::Task(task) => task.poll_joined(cx),
            JoinHandle::Job(value, _) => {
                value.poll_kept(cx).map(|value| value.ok_or(Gone::Dropped))
            }
        }
    }
}
