//! A server of the Model Context Protocol whose work stops when the agent cancels a call.
//!
//! Run: `cargo run -p examples --example mcp`, or with `-- --stdio` behind a client of yours.
//!
//! The SDK has a token for each call, which says that the call is over and not why. Here each
//! call has a context under the server's; the notification that cancels it brings a reason,
//! which is the cause that all work below it sees.

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rmcp::model::{
    CallToolRequest, CallToolRequestParams, CallToolResponse, CallToolResult,
    CancelledNotificationParam, ClientRequest, ContentBlock, ErrorData, ListToolsResult,
    PaginatedRequestParams, RequestId, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::{NotificationContext, PeerRequestOptions, RequestContext, RoleServer};
use rmcp::{ServerHandler, ServiceExt};
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_ctx::{CancelHandle, Cancelled, Context, scope};

/// A notification comes right after the SDK's token, if there is one.
const NOTIFICATION: Duration = Duration::from_millis(100);

#[derive(Clone)]
struct Tools {
    // ctx-lint: allow(context-in-struct) the lifetime of the server, which each call is under
    server: Context,
    calls: Arc<Mutex<HashMap<RequestId, CancelHandle>>>,
    /// Told when work stopped early, and why.
    stopped: UnboundedSender<(Cancelled, Instant)>,
}

impl ServerHandler for Tools {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let schema = json!({ "type": "object", "properties": { "below": { "type": "integer" } } });
        let schema = schema.as_object().cloned().unwrap_or_default();
        let tool = Tool::new("count_primes", "Counts primes, slowly.", Arc::new(schema));
        Ok(ListToolsResult::with_all_items(vec![tool]))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        call: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let below = request.arguments.as_ref().and_then(|all| all.get("below"));
        let Some(below) = below.and_then(Value::as_u64) else {
            return Err(ErrorData::invalid_params("`below` is a number", None));
        };
        let ctx = self.server.with_cancel();
        self.calls().insert(call.id.clone(), ctx.handle());
        let (over, handle) = (call.ct, ctx.handle());
        let counted = scope(&ctx, async move |s| {
            s.task().background().spawn(async move |ctx| {
                let gone = async {
                    over.cancelled().await;
                    tokio::time::sleep(NOTIFICATION).await;
                    handle.cancel_with("the connection is closed");
                };
                drop(ctx.run(gone).await);
            });
            s.spawn_blocking(move |ctx| count_primes(&ctx, below)).await
        })
        .await;
        self.calls().remove(&call.id);
        match counted {
            Ok(primes) => {
                let text = ContentBlock::text(primes.to_string());
                Ok(CallToolResult::success(vec![text]).into())
            }
            Err(why) => {
                let error = ErrorData::internal_error(why.to_string(), None);
                drop(self.stopped.send((why, Instant::now())));
                Err(error)
            }
        }
    }

    async fn on_cancelled(
        &self,
        notification: CancelledNotificationParam,
        _: NotificationContext<RoleServer>,
    ) {
        let call = notification.request_id;
        if let Some(call) = call.and_then(|id| self.calls().remove(&id)) {
            let reason = notification.reason;
            call.cancel_with(reason.unwrap_or_else(|| "the client gave no reason".to_owned()));
        }
    }
}

impl Tools {
    fn calls(&self) -> std::sync::MutexGuard<'_, HashMap<RequestId, CancelHandle>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Blocking work, which looks at its context now and then.
fn count_primes(ctx: &Context, below: u64) -> Result<u64, Cancelled> {
    let mut primes = 0;
    for number in 2..below {
        if number % 256 == 0 {
            ctx.check()?;
        }
        let mut divisors = (2..).take_while(|divisor| divisor * divisor <= number);
        primes += u64::from(!divisors.any(|divisor| number % divisor == 0));
    }
    Ok(primes)
}

fn count_below(below: u64) -> CallToolRequestParams {
    let arguments = json!({ "below": below });
    CallToolRequestParams::new("count_primes")
        .with_arguments(arguments.as_object().cloned().unwrap_or_default())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = Context::background().with_cancel();
    let (stopped, mut is_stopped) = unbounded_channel();
    let tools = Tools {
        server: server.clone(),
        calls: Arc::default(),
        stopped,
    };
    if std::env::args().any(|argument| argument == "--stdio") {
        let stdio = (tokio::io::stdin(), tokio::io::stdout());
        tools.serve(stdio).await?.waiting().await?;
        return Ok(());
    }

    let (ours, theirs) = tokio::io::duplex(4096);
    let (serving, agent) = tokio::join!(tools.clone().serve(ours), ().serve(theirs));
    let (serving, agent) = (serving?, agent?);
    let answer = agent.call_tool(count_below(10_000)).await?;
    let text = answer.content[0].as_text().map(|text| text.text.clone());
    println!("a call that is let finish: {text:?} primes below 10,000");
    assert_eq!(text.as_deref(), Some("1229"));

    // An hour of work, and an agent whose user presses Escape.
    let request = ClientRequest::CallToolRequest(CallToolRequest::new(count_below(1 << 40)));
    let options = PeerRequestOptions::no_options();
    let call = agent.send_cancellable_request(request, options).await?;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let pressed = Instant::now();
    call.cancel(Some("the user pressed Escape".to_owned()))
        .await?;
    let (why, at) = is_stopped.recv().await.ok_or("the server is gone")?;
    let after = at.duration_since(pressed);
    println!("a call that is cancelled: its work stopped after {after:?}: {why}");
    assert!(why.to_string().contains("the user pressed Escape"), "{why}");
    assert!(after < Duration::from_secs(1), "{after:?}");

    // An agent that is gone says nothing; the SDK lets its calls finish for a few seconds.
    let request = ClientRequest::CallToolRequest(CallToolRequest::new(count_below(1 << 40)));
    let options = PeerRequestOptions::no_options();
    let call = agent.send_cancellable_request(request, options).await?;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let left = Instant::now();
    drop(call);
    agent.cancel().await?;
    let (why, at) = is_stopped.recv().await.ok_or("the server is gone")?;
    let after = at.duration_since(left);
    println!("an agent that leaves: the work stopped after {after:?}: {why}");
    assert!(tools.calls().is_empty(), "a call was forgotten");
    serving.waiting().await?;
    Ok(())
}
