//! Where a call stands: the awaits that kept its waker in the last poll.

mod place;
mod root;
mod seen;
mod trace;
mod waker;

pub use place::{Frame, Place};
pub(crate) use root::root;
pub(crate) use seen::Seen;
pub(crate) use waker::waker;
