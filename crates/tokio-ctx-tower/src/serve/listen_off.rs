//! What `serve` is without the feature `axum`: an error of rustc that names the feature.

use spawn_scoped::Spawner;
use tokio_ctx_core::Context;

use super::{ServeOptions, ServeReport};

mod sealed {
    #[diagnostic::on_unimplemented(
        message = "`serve` needs the feature `axum` of tokio-ctx",
        label = "the feature `axum` is off"
    )]
    pub trait Axum {}
}

#[doc(hidden)]
pub async fn serve<L, S>(
    _ctx: &Context,
    _listener: L,
    _app: impl FnOnce(&Spawner) -> S,
) -> ServeReport
where
    for<'a> &'a Context: sealed::Axum,
{
    unreachable!("no type has the trait")
}

impl ServeOptions {
    #[doc(hidden)]
    pub async fn serve<L, S>(
        self,
        _ctx: &Context,
        _listener: L,
        _app: impl FnOnce(&Spawner) -> S,
    ) -> ServeReport
    where
        for<'a> &'a Context: sealed::Axum,
    {
        unreachable!("no type has the trait")
    }
}
