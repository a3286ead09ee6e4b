//! What a user of the crates might write, and the models that tell right from nearly right.
//!
//! An audit log: requests write lines into it, and one worker stores them until the server
//! stops. [`hasty`] is how it was first written, [`steady`] how it should be; both pass their
//! ordinary tests. A [`turnstile`], whose first version makes people wait for ever. And a
//! [`tally`] that the tasks of a scope add to, steadily or hastily.

pub mod hasty;
pub mod steady;
pub mod sync;
pub mod tally;
pub mod turnstile;
