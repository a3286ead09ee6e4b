//! A renamed import is still ours, and so is a type alias.
use tokio_ctx::Context as Ctx;

type Lifetime = Ctx;

pub fn make() -> Ctx {
    let first = Ctx::background(); //~ background-outside-root
    let second = Lifetime::background(); //~ background-outside-root
    first.merge(&second)
}
