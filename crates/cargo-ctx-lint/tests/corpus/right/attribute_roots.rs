//! Whatever an attribute makes a main is one, and so is what another language calls.
use tokio_ctx::Context;

#[rt::main]
pub async fn start() {
    run(&Context::background()).await;
}

pub extern "C" fn plugin_start() {
    block_on(run(&Context::background()));
}
