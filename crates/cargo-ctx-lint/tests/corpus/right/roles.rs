//! Names that say it is not the context of this call.
use tokio_ctx::Context;

fn open(parent: &Context, name: &str) -> Scope {}
fn under(self, other: &Context) -> Builder {}
fn detach(self, lifetime: &Context) -> Builder {}
fn layer(server: &Context) -> Layer {}
fn answer(request: Context, server: &Scope) {}
