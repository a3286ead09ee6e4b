//! Which of the two it is depends on a feature, so nobody knows.
#[cfg(feature = "ours")]
use tokio_ctx::Context;
#[cfg(not(feature = "ours"))]
use other::Context;

struct Holder {
    ctx: Context,
}
