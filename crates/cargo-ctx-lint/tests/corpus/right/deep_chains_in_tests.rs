//! A test that builds a deep chain means to.
#[test]
fn a_deep_chain_is_dropped_without_recursion() {
    let mut ctx = tokio_ctx::Context::background();
    for _ in 0..1_000_000 {
        ctx = ctx.with_cancel().disarm();
    }
}
