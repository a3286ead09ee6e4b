//! The service: its routes, its report from three databases, and its out-of-band export.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio_ctx::tower::ContextError;
use tokio_ctx::{Context, Scope, ScopeOptions, Spawner};

use crate::db::{Busiest, Databases, QueryError};
use crate::journal::{Journal, Outcome};
use crate::requests::{self, problem};
use crate::timeline::millis;
use crate::trace;

/// What the handlers share.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) databases: Arc<Databases>,
    pub(crate) journal: Arc<Journal>,
    /// Of the whole server: jobs that outlive their request are spawned here.
    pub(crate) server: Spawner,
    pub(crate) exports: AtomicU64,
}

/// The routes, with a context for each request.
pub(crate) fn router(app: App) -> Router {
    let requests = requests::context_layer(app.server.context());
    let router = Router::new()
        .route("/", get(async || PAGES))
        .route("/report", get(report))
        .route("/exports", post(export))
        .route("/running", get(running))
        .fallback(async || problem(StatusCode::NOT_FOUND, "no such page"))
        .method_not_allowed_fallback(async || {
            let title = "this page has another method";
            problem(StatusCode::METHOD_NOT_ALLOWED, title)
        })
        .with_state(Arc::new(app));
    requests::with_requests(router, requests)
}

const PAGES: &str = "GET /report\nPOST /exports\nGET /running\n";

/// Nothing ever notifies it: with `?hang` a task waits for it and does not ask its context, which
/// is the bug that the guide's page "It hangs. What now?" looks for.
static AUDITED: Notify = Notify::const_new();

/// Queries the three databases in parallel and merges what they say.
async fn report(
    ctx: Context,
    State(app): State<Arc<App>>,
    uri: Uri,
) -> Result<Json<Value>, QueryError> {
    let bug = uri.query() == Some("bug");
    let hang = uri.query() == Some("hang");
    let queries = async |s: Scope<QueryError>| {
        let [a, b, c] = [app.clone(), app.clone(), app.clone()];
        let users = s
            .task()
            .name("users")
            .spawn_blocking(move |ctx| a.users(&ctx));
        let orders = s
            .task()
            .name("orders")
            .spawn_blocking(move |ctx| b.orders(&ctx, bug));
        let payments = s
            .task()
            .name("payments")
            .spawn_blocking(move |ctx| c.payments(&ctx));
        if hang {
            s.task().name("audit log").spawn(async |_| {
                AUDITED.notified().await;
                Ok(())
            });
        }
        Ok((users.await?, orders.await?, payments.await?))
    };
    // With `describe` the scope can name the error to the tasks that it stops.
    let options = ScopeOptions::new().describe(QueryError::to_string);
    let (users, orders, payments) = options.run(&ctx, queries).await?;

    Ok(Json(json!({
        "busiest": {
            "sign_ups": users.total, "order_cents": orders.total, "fee_cents": payments.total,
        },
    })))
}

/// Answers at once; the export itself belongs to the server and keeps the trace id.
async fn export(ctx: Context, State(app): State<Arc<App>>) -> Response {
    let number = 1 + app.exports.fetch_add(1, Ordering::Relaxed);
    if let Err(stopping) = app.server.context().check() {
        return ContextError::from(stopping).into_response();
    }
    let (worker, onto) = (Arc::clone(&app), ctx.detach_onto(app.server.context()));
    let job = app.server.task().name("export").under(&onto);
    // The log has its error or its panic, and neither is a reason to stop the server.
    drop(job.spawn_blocking(move |ctx| worker.export(&ctx, number)));
    tracing::info!("export {number} goes on under the server");
    (StatusCode::ACCEPTED, Json(json!({ "export": number }))).into_response()
}

/// What the server is doing: its work by trace id, then its scopes and tasks as a tree.
async fn running(State(app): State<Arc<App>>) -> String {
    let work = app.journal.running().into_iter().map(|entry| {
        let (work, trace, so_far) = (&entry.work, &entry.trace, millis(entry.took()));
        format!("{work} [{trace}]: {so_far} so far\n")
    });
    work.chain([app.server.snapshot().to_string()]).collect()
}

impl App {
    fn users(&self, ctx: &Context) -> Result<Busiest, QueryError> {
        let users = &self.databases.users;
        self.entered(ctx, "users query", || users.busiest(ctx, users.days()))
    }

    /// With the bug that act 5 plays, it panics after a sixth of its work.
    fn orders(&self, ctx: &Context, bug: bool) -> Result<Busiest, QueryError> {
        let orders = &self.databases.orders;
        self.entered(ctx, "orders query", || {
            if bug {
                let part = orders.busiest(ctx, orders.days() / 6)?;
                panic!("no order after day {}", part.day);
            }
            orders.busiest(ctx, orders.days())
        })
    }

    fn payments(&self, ctx: &Context) -> Result<Busiest, QueryError> {
        let payments = &self.databases.payments;
        self.entered(ctx, "payments query", || {
            payments.busiest(ctx, payments.days())
        })
    }

    fn export(&self, ctx: &Context, number: u64) -> Result<u32, QueryError> {
        let orders = &self.databases.orders;
        let file = orders.path().with_file_name(format!("export-{number}.csv"));
        self.entered(ctx, &format!("export {number}"), || {
            orders.export(ctx, orders.days(), &file)
        })
    }

    /// Does `work` with an entry in the journal and a line in the log.
    fn entered<T>(
        &self,
        ctx: &Context,
        name: &str,
        work: impl FnOnce() -> Result<T, QueryError>,
    ) -> Result<T, QueryError> {
        let _in_request = trace::span(ctx).entered();
        let entry = self.journal.begin(ctx, name);
        let result = work();
        let (at, took) = (Instant::now(), millis(entry.took()));
        // Logged before it is entered, so that the line is there when the entry is.
        let outcome = match &result {
            Ok(_) => {
                tracing::info!("{name} finished after {took}");
                Outcome::Finished
            }
            Err(QueryError::Cancelled(cancelled)) => {
                tracing::info!("{name} stopped after {took} ({:?})", cancelled.reason());
                Outcome::Stopped(cancelled.clone())
            }
            Err(error @ QueryError::Failed { .. }) => {
                tracing::error!("{name} failed after {took}: {error}");
                Outcome::Failed(error.to_string())
            }
        };
        entry.end(at, outcome);
        result
    }
}

/// Where in the source it happened is for the log; the client gets the status and the reason.
impl IntoResponse for QueryError {
    fn into_response(self) -> Response {
        match self {
            QueryError::Cancelled(cancelled) => ContextError::from(cancelled).into_response(),
            QueryError::Failed { .. } => {
                problem(StatusCode::INTERNAL_SERVER_ERROR, &self.to_string())
            }
        }
    }
}
