//! A service whose spawned work stops when its client hangs up, and the clients that show it.
//!
//! `cargo run -p examples` plays seven ways for a request to end against a real server on a real
//! socket with three real databases, and checks each; `cargo run -p examples -- --serve` keeps
//! serving. To read the service, start with `service`; what is worth copying into another one
//! is [`requests`], [`server`] and the function that joins a query to its context, in [`db`].

pub mod acts;
pub mod client;
pub mod db;
pub mod journal;
pub mod requests;
pub mod server;
mod service;
pub mod timeline;
pub mod trace;
