//! A whole service under load: rows 18 to 22.
//!
//! Row 18 is a hello-world without the layer and with it. The others are a service three times: ours; as one writes it by hand on axum, with a token, a drop
//! guard, `timeout` and a `JoinSet`; and Go's net/http with a context and an errgroup. Each is
//! a process of its own on the first core, and the clients are this process on the second.

mod clients;
mod hello;
mod process;
mod rows;
mod served;

pub(crate) use self::hello::{requests_with_layer, requests_without_layer};
pub(crate) use self::process::VERB;
pub(crate) use self::rows::{hello, throughput, under_load};
pub(crate) use self::served::serve;
