//! What the crate promises, one file for each subject.

mod cancel;
mod crash;
mod drop;
mod fail;
mod front_page;
mod names;
mod points;
mod real;
mod reports;
