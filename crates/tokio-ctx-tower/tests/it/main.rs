//! What this crate promises, over real sockets wherever a socket can make a difference.

mod bodies;
mod cut_answers;
mod deadlines;
mod draining;
mod ends;
mod faces;
mod generated;
mod grpc;
mod hanging_up;
mod keys;
mod layers;
mod logs;
mod opentelemetry;
mod propagation;
mod request_scope;
mod reqwest;
mod serving;
mod shutdown;
mod stage;
mod trace_context;
mod upgrades;
