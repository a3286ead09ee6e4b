//! Contexts of other crates, imported in many ways.
use opentelemetry::Context;
use poise::Context as Ctx;

struct Span {
    ctx: Context,
    other: Ctx<'static>,
    third: tera::Context,
}

fn attach(span: Span, context: &Context) -> Context {
    let _ = context.with_cancel();
    Context::background()
}
