//! One struct under one key rather than five keys, and a batch whose items differ in one.
//!
//! Run: `cargo run -p examples --example metadata`
//!
//! What is set together, read together and passed on together is one value. A thousand items
//! derive a thousand sibling contexts from the batch's; none sees another's id, and the batch
//! sees none of them.

use std::fmt;

use tokio_ctx::{Cancelled, Context, key, scope};

/// What came with the request. Immutable, small, about the request.
#[derive(Clone)]
struct Metadata {
    trace_id: String,
    tenant: String,
    locale: &'static str,
    // Personal, so it is in no text.
    address: std::net::IpAddr,
}

impl fmt::Display for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.tenant, self.trace_id)
    }
}

key! {
    Request: Metadata, print;
    Item: usize, print;
}

async fn import(ctx: &Context) -> Result<String, Cancelled> {
    ctx.run(tokio::task::yield_now()).await?;
    let request = ctx
        .value::<Request>()
        .map_or_else(|| "-".into(), ToString::to_string);
    let item = ctx.value::<Item>().copied().unwrap_or_default();
    Ok(format!("{request} item {item}"))
}

#[tokio::main]
async fn main() -> Result<(), Cancelled> {
    let batch = Context::background().with_value::<Request>(Metadata {
        trace_id: "4bf9".into(),
        tenant: "acme".into(),
        locale: "de-CH",
        address: [192, 0, 2, 7].into(),
    });
    println!("{batch:?}");
    assert_eq!(
        format!("{batch:?}"),
        "background > value(Request=acme/4bf9)"
    );

    let imported = scope(&batch, async |s| {
        let tasks: Vec<_> = (0..1000)
            .map(|id| {
                let ctx = s.context().with_value::<Item>(id);
                s.task().under(&ctx).spawn(async |ctx| import(&ctx).await)
            })
            .collect();
        let mut lines = Vec::with_capacity(tasks.len());
        for task in tasks {
            lines.push(task.await?);
        }
        Ok(lines)
    })
    .await?;
    println!("{} … {}", imported[0], imported[999]);
    assert!((0..1000).all(|id| imported[id] == format!("acme/4bf9 item {id}")));
    assert_eq!(batch.value::<Item>(), None);

    let metadata = batch.value::<Request>().expect("it was set above");
    assert_eq!(
        (metadata.locale, metadata.address.is_loopback()),
        ("de-CH", false)
    );
    Ok(())
}
