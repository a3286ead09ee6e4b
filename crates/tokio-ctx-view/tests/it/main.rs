//! What the view promises, over real sockets.

mod answers;
mod shows;
#[cfg(all(feature = "signal", unix))]
mod signals;
mod stage;
mod streams;
