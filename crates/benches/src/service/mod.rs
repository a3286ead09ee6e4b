//! A whole service under load: rows 19 to 22.
//!
//! The same service three times: ours; as one writes it by hand on axum, with a token, a drop
//! guard, `timeout` and a `JoinSet`; and Go's net/http with a context and an errgroup. Each is
//! a process of its own on the first core, and the clients are this process on the second.

mod clients;
mod process;
mod rows;
mod served;

pub(crate) use self::process::VERB;
pub(crate) use self::rows::{throughput, under_load};
pub(crate) use self::served::serve;
