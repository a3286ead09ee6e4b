//! The clients of the edge.

use std::io;
use std::net::SocketAddr;

use examples::client::Call;

/// Asks for that many milliseconds of work, in a trace whose id is `trace` four times over.
pub(crate) async fn ask(
    edge: SocketAddr,
    trace: &str,
    millis: u64,
    headers: &[(&str, &str)],
) -> io::Result<Call> {
    let trace = format!("00-{}-00000000000000f1-01", trace.repeat(4));
    let headers = [&[("traceparent", trace.as_str())], headers].concat();
    Call::send(edge, &format!("GET /work/{millis}"), &headers).await
}

/// What `curl` would show of the page with what runs.
pub(crate) async fn what_runs(view: SocketAddr) -> io::Result<String> {
    let call = Call::send(view, "GET /debug/ctx", &[]).await?;
    Ok(call.answer().await?.body)
}
