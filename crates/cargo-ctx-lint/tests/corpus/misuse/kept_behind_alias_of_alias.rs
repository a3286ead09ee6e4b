//! Two aliases deep, and in a map.
use std::collections::HashMap;
use tokio_ctx as tc;

type Lifetime = tc::Context;
type Sessions = HashMap<u64, Lifetime>;

pub struct Registry {
    sessions: Sessions, //~ kept
}
