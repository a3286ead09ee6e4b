//! Errors that have no type of their own, below the handlers of a service, over real HTTP.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use examples::client::{Answer, Call};
use tokio::net::TcpListener;
use tokio_ctx::tower::{ContextError, ContextLayer, serve};
use tokio_ctx::{Cancelled, Context, scope};

/// A service whose repository is a trait object, and whose errors are `$error`.
macro_rules! service {
    ($name:ident, $error:ty) => {
        mod $name {
            use super::*;

            #[tonic::async_trait]
            trait Orders: Send + Sync {
                async fn total(&self, ctx: &Context, way: &str) -> Result<u64, $error>;
            }

            struct OnDisk;

            #[tonic::async_trait]
            impl Orders for OnDisk {
                async fn total(&self, ctx: &Context, way: &str) -> Result<u64, $error> {
                    scope(ctx, async |s| {
                        let (way, parent) = (way.to_owned(), s.context().clone());
                        let cash = s.spawn(async move |_| Ok(cash(&way).await?));
                        let cards = s.spawn(async |ctx| Ok(super::cards(&ctx).await?));
                        let total = cash.await? + cards.await?;
                        parent.check()?;
                        Ok(total)
                    })
                    .await
                }
            }

            /// One task says that it was cancelled, and then the other one fails.
            async fn late(ctx: &Context) -> Result<u64, $error> {
                let ctx = ctx.with_cancel();
                scope(&ctx, async |s| {
                    let says_so = s.spawn(async |ctx| {
                        let why = ctx.done().await;
                        Err::<(), _>(io::Error::other(why).into())
                    });
                    s.spawn(async move |_| {
                        drop(says_so.await);
                        Err::<(), _>(io::Error::other("commit failed").into())
                    });
                    ctx.cancel();
                    Ok(0)
                })
                .await
            }

            async fn handler(
                ctx: Context,
                State(orders): State<Arc<dyn Orders>>,
                Path(way): Path<String>,
            ) -> Result<String, Problem> {
                let total = match &*way {
                    "late" => late(&ctx).await,
                    "hurried" => orders.total(&ctx.with_timeout(Duration::ZERO), &way).await,
                    _ => orders.total(&ctx, &way).await,
                };
                match total {
                    Ok(total) => Ok(total.to_string()),
                    Err(error) => Err(match error.downcast_ref::<Cancelled>() {
                        Some(cancelled) => Problem::Ended(cancelled.clone().into()),
                        None => Problem::Failed(error.to_string()),
                    }),
                }
            }

            pub(super) fn router() -> Router {
                let orders: Arc<dyn Orders> = Arc::new(OnDisk);
                Router::new()
                    .route("/{way}", get(handler))
                    .with_state(orders)
            }
        }
    };
}

service!(boxed, Box<dyn Error + Send + Sync>);
service!(by_anyhow, anyhow::Error);

async fn cash(way: &str) -> io::Result<u64> {
    match way {
        "broken" => Err(io::Error::other("disk full")),
        _ => Ok(1),
    }
}

async fn cards(ctx: &Context) -> Result<u64, Cancelled> {
    ctx.run(async { 2 }).await
}

enum Problem {
    Ended(ContextError),
    Failed(String),
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        match self {
            Problem::Ended(error) => error.into_response(),
            Problem::Failed(text) => (StatusCode::INTERNAL_SERVER_ERROR, text).into_response(),
        }
    }
}

/// What the service answers on a socket.
async fn answer(router: fn() -> Router, way: &str) -> Answer {
    let stop = Context::background().with_cancel();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("it is bound");
    let serving = serve(&stop, listener, |server| {
        router().layer(ContextLayer::new(server.context()))
    });
    let asking = async {
        let call = Call::send(address, &format!("GET /{way}"), &[]).await;
        let answer = call.expect("it listens").answer().await;
        stop.cancel();
        answer.expect("it answers")
    };
    let (report, answer) = tokio::join!(serving, asking);
    assert!(report.is_clean(), "{report}");
    answer
}

const SERVICES: [fn() -> Router; 2] = [boxed::router, by_anyhow::router];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_that_goes_well_is_answered() {
    for service in SERVICES {
        let Answer { status, body } = answer(service, "well").await;
        assert_eq!((status, &*body), (200, "3"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_error_of_a_task_is_the_answer() {
    for service in SERVICES {
        let Answer { status, body } = answer(service, "broken").await;
        assert_eq!((status, &*body), (500, "disk full"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_inside_is_found_and_answered_by_its_status() {
    for service in SERVICES {
        let Answer { status, body } = answer(service, "hurried").await;
        assert_eq!(status, 504, "{body}");
        assert!(body.contains("deadline_exceeded"), "{body}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_error_beats_one_that_says_cancelled() {
    for service in SERVICES {
        let Answer { status, body } = answer(service, "late").await;
        assert_eq!((status, &*body), (500, "commit failed"));
    }
}
