//! A hand-written implementation of the trait.
use std::fmt;
use std::sync::RwLock;

pub enum Shared {}

impl tokio_ctx::Key for Shared {
    type Value = RwLock<u32>; //~ infrastructure-in-key
    const NAME: &'static str = "Shared";
}

pub enum AccessToken {}

impl tokio_ctx::Key for AccessToken {
    type Value = String;
    const NAME: &'static str = "AccessToken";

    fn display(value: &String) -> Option<&dyn fmt::Display> { //~ secret-key-prints
        Some(value)
    }
}
