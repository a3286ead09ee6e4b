//! Tests make what they need.
use tokio_ctx::Context;

#[tokio::test]
async fn a_test() {
    let ctx = Context::background();
    tokio::spawn(work());
    tokio::time::sleep(SECOND).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Harness {
        ctx: Context,
    }

    fn harness(name: &str, context: Context) -> Harness {
        Harness { ctx: Context::background() }
    }
}

#[cfg(any(test, feature = "fakes"))]
fn fake(name: &str) -> Context {
    Context::background()
}
