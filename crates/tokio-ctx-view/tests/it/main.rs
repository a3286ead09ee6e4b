//! What the view promises, over real sockets.

mod answers;
mod shows;
mod stage;
mod streams;
