//! Who cannot name the key can neither read nor write its value.

mod auth {
    tokio_ctx_core::key! { UserKey: u32 }

    pub fn with_user(ctx: &tokio_ctx_core::Context, user: u32) -> tokio_ctx_core::Context {
        ctx.with_value::<UserKey>(user)
    }
}

fn main() {
    let ctx = auth::with_user(&tokio_ctx_core::Context::background(), 7);
    let _ = ctx.value::<auth::UserKey>();
}
