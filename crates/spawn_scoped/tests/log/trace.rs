//! Promise 14: tasks inherit the tracing span. Also the log that other modules look at.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use spawn_scoped::scope;
use tokio_ctx_core::{Cancelled, Context};
use tracing::field::{Field, Visit};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Span, Subscriber, span};
use tracing_subscriber::layer::{Context as LayerContext, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, Registry};

/// The events of this thread, one line each, with the spans around them.
pub(crate) struct Log {
    lines: Arc<Mutex<Vec<String>>>,
    // Before the turn is given to the next test.
    _guard: DefaultGuard,
    _turn: MutexGuard<'static, ()>,
}

static TURN: Mutex<()> = Mutex::new(());

pub(crate) fn logged() -> Log {
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let lines = Arc::new(Mutex::new(Vec::new()));
    let subscriber = Registry::default().with(Lines(lines.clone()));
    Log {
        lines,
        _guard: tracing::subscriber::set_default(subscriber),
        _turn: turn,
    }
}

impl Log {
    pub(crate) fn lines_with(&self, part: &str) -> Vec<String> {
        let lines = self.lines.lock().unwrap();
        lines
            .iter()
            .filter(|line| line.contains(part))
            .cloned()
            .collect()
    }
}

struct Lines(Arc<Mutex<Vec<String>>>);

struct Text(String);

impl Visit for Text {
    fn record_str(&mut self, field: &Field, value: &str) {
        let _ = write!(self.0, " {}={value}", field.name());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let _ = write!(self.0, " {}={value:?}", field.name());
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Lines {
    fn on_new_span(&self, attrs: &span::Attributes<'_>, id: &span::Id, ctx: LayerContext<'_, S>) {
        let mut text = Text(String::new());
        attrs.record(&mut text);
        ctx.span(id).unwrap().extensions_mut().insert(text);
    }

    fn on_follows_from(&self, id: &span::Id, follows: &span::Id, ctx: LayerContext<'_, S>) {
        let name = ctx.span(follows).unwrap().name();
        let span = ctx.span(id).unwrap();
        let mut extensions = span.extensions_mut();
        let text: &mut Text = extensions.get_mut().unwrap();
        let _ = write!(text.0, " follows={name}");
    }

    fn on_event(&self, event: &Event<'_>, ctx: LayerContext<'_, S>) {
        let mut text = Text(String::new());
        for span in ctx.event_scope(event).into_iter().flatten() {
            let fields = span.extensions().get::<Text>().map(|text| text.0.clone());
            let _ = write!(text.0, "in {}{} ", span.name(), fields.unwrap_or_default());
        }
        event.record(&mut text);
        self.0.lock().unwrap().push(text.0);
    }
}

#[tokio::test]
async fn a_task_runs_in_the_span_it_was_spawned_in() {
    let log = logged();
    let request = tracing::info_span!("request", trace_id = "4bf9");
    let entered = request.enter();
    let ctx = Context::background();
    let work = scope(&ctx, async |s| {
        s.spawn(async |_| {
            tokio::task::yield_now().await;
            tracing::info!("from the task");
            Ok::<_, Cancelled>(())
        });
        s.task().spawn_cancellable(async {
            tracing::info!("from the cancellable task");
            Ok(())
        });
        Ok(())
    });
    let mut work = Box::pin(work);
    // Spawned inside the span, run outside of it.
    assert!(futures_util::FutureExt::now_or_never(&mut work).is_none());
    drop(entered);
    work.await.unwrap();
    for line in log.lines_with("from the") {
        assert!(line.contains("in request trace_id=4bf9"), "{line}");
    }
    assert_eq!(log.lines_with("from the").len(), 2);
}

#[tokio::test]
async fn a_task_may_have_a_span_of_its_own_or_none() {
    let log = logged();
    let request = tracing::info_span!("request");
    let entered = request.enter();
    let ctx = Context::background();
    let mut work = Box::pin(scope(&ctx, async |s| {
        s.task().span(Span::none()).spawn(async |_| {
            tracing::info!("without");
            Ok::<_, Cancelled>(())
        });
        s.task()
            .span(tracing::info_span!("child"))
            .spawn(async |_| {
                tracing::info!("inside");
                Ok(())
            });
        let follower = tracing::info_span!(parent: None, "follower");
        follower.follows_from(Span::current());
        s.task().span(follower).spawn(async |_| {
            tracing::info!("behind");
            Ok(())
        });
        Ok(())
    }));
    assert!(futures_util::FutureExt::now_or_never(&mut work).is_none());
    drop(entered);
    work.await.unwrap();
    assert_eq!(log.lines_with("without"), [" message=without"]);
    let inside = ["in child in request  message=inside"];
    assert_eq!(log.lines_with("inside"), inside);
    let behind = ["in follower follows=request  message=behind"];
    assert_eq!(log.lines_with("behind"), behind);
}

#[tokio::test]
async fn a_panic_is_logged_with_the_name_and_the_line_of_the_task() {
    let log = logged();
    let line = line!() + 3;
    let panicked = futures_util::FutureExt::catch_unwind(std::panic::AssertUnwindSafe(scope(
        &Context::background(),
        async |s| {
            s.task()
                .name("parser")
                .spawn(async |_| -> Result<(), Cancelled> { panic!("at 7") });
            Ok(())
        },
    )))
    .await;
    assert!(panicked.is_err());
    let report = &log.lines_with("a task panicked")[0];
    assert!(report.contains("task=parser"), "{report}");
    assert!(
        report.contains(&format!("{}:{}:", file!(), line + 1)),
        "{report}"
    );
    assert!(report.contains("panic=at 7"), "{report}");
}
