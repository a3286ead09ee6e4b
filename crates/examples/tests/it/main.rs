//! What the service promises to clients that behave badly, over real sockets.

mod bad_input;
mod hanging_up;
mod request_context;
mod serving;
mod stage;
