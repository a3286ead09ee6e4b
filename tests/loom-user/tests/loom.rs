//! A user's models. `models/hasty.rs` and `models/steady.rs` are those of `docs/loom.md`, where
//! each is `tests/loom.rs` in its turn.
#![cfg(loom)]

mod models {
    mod hang;
    mod hasty;
    mod scope;
    mod steady;
    mod time;
}
