//! What the service promises to clients that behave badly, over real sockets.

mod bad_input;
mod boxed_errors;
mod cut_examples;
mod cut_points;
mod cut_services;
mod hanging_up;
mod mistakes;
mod requests;
mod serving;
mod stage;
