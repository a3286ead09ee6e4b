//! What the crate promises, one file for each subject.

mod cancel;
mod crash;
mod drop;
mod names;
mod points;
