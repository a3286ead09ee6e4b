//! The kernel of lifetimes: one node per cancellable lifetime, linked to its parent.
//!
//! Invariants, cited where they are kept:
//!
//! 1. **First outcome wins, and never changes.** An outcome is stored once per node, under
//!    the node's lock. `cancel` first walks the ancestors, and stores only where none ended.
//!    A reader that reports an inherited outcome first stores it on every node of the path, top
//!    down, a node with an outcome of its own replacing what is carried.
//! 2. **Outcome before token.** The outcome is stored and the flag published before the
//!    token is cancelled, so a waiter that wakes finds a cause.
//! 3. **Nothing foreign runs under a lock**: no token is cancelled, no waker woken, no
//!    callback run, and no cause, callback or timer dropped. What the kernel polls under a
//!    lock are futures of its own, with wakers of its own.
//! 4. **A waiter cannot miss the cancel.** A node's token is made in the critical section
//!    that finds it without an outcome; afterwards a cancel finds the token.
//! 5. **Cancelling never blocks, spawns or panics**, and needs no runtime. What is foreign is
//!    called and dropped through [`foreign`](crate::foreign).
//! 6. **Dropping is iterative.**
//! 7. **Asking runs no callback.** `is_done` and `outcome` may store an outcome and wake.
//! 8. **A merge walks a flat list without duplicates.**
//!
//! Lock order: at most one node at a time; a node before the inside of a token or of a timer.
//! The parent keeps no list of its children: what goes down goes through the tokens.

mod callback;
mod end;
mod resolve;
mod state;
mod tree;
mod wait;
mod walk;

pub(crate) use self::callback::Registration;
pub(crate) use self::tree::{Extra, Node};
