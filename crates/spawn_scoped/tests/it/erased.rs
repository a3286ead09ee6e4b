//! Error types with a lifetime inside that rustc erases, wherever the future of a scope may go:
//! spawned, nested, below `#[async_trait]`, behind `impl Future + Send`, in a struct.

use std::borrow::Cow;
use std::error::Error;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use spawn_scoped::{Scope, ScopeOptions, Task, scope};
use tokio_ctx_core::{Cancelled, Context};

use crate::support::on_both;

type Boxed = Box<dyn Error + Send + Sync>;

/// An error with a text that may be static.
#[derive(Debug, PartialEq)]
struct Said(Cow<'static, str>);

impl From<Cancelled> for Said {
    fn from(cancelled: Cancelled) -> Self {
        Said(cancelled.to_string().into())
    }
}

async fn parse(text: &str) -> Result<u32, Boxed> {
    Ok(text.parse()?)
}

async fn read(_ctx: &Context) -> io::Result<u32> {
    Ok(1)
}

async fn look_up(_ctx: &Context, key: &str) -> Result<u32, Said> {
    match key {
        "one" => Ok(1),
        "two" => Err(Said("static".into())),
        other => Err(Said(format!("no {other}").into())),
    }
}

async fn sum_boxed(ctx: &Context, texts: &[&str]) -> Result<u32, Boxed> {
    scope(ctx, async |s| {
        let mut tasks: Vec<Task<u32>> = Vec::new();
        for text in texts {
            let text = (*text).to_owned();
            tasks.push(s.spawn(async move |_| parse(&text).await));
        }
        let mut sum = 0;
        for task in tasks {
            sum += task.await?;
        }
        Ok(sum)
    })
    .await
}

async fn sum_io(ctx: &Context) -> io::Result<u32> {
    scope(ctx, async |s| {
        let task = s.spawn(async |ctx| read(&ctx).await);
        Ok(task.await? + read(s.context()).await?)
    })
    .await
}

async fn sum_said(ctx: &Context, key: &'static str) -> Result<u32, Said> {
    scope(ctx, async move |s| {
        let task = s.spawn(async move |ctx| look_up(&ctx, key).await);
        Ok(task.await? + 1)
    })
    .await
}

#[test]
fn each_runs_in_a_spawned_task() {
    on_both(|| async {
        let boxed = tokio::spawn(async {
            let ctx = Context::background();
            let good = sum_boxed(&ctx, &["1", "2"])
                .await
                .map_err(|e| e.to_string());
            let bad = sum_boxed(&ctx, &["1", "x"])
                .await
                .map_err(|e| e.to_string());
            (good, bad)
        });
        let (good, bad) = boxed.await.unwrap();
        assert_eq!(good, Ok(3));
        assert_eq!(bad, Err("invalid digit found in string".to_owned()));
        let io = tokio::spawn(async { sum_io(&Context::background()).await });
        assert_eq!(io.await.unwrap().unwrap(), 2);
        let said = tokio::spawn(async {
            let ctx = Context::background();
            let mut all = Vec::new();
            for key in ["one", "two", "three"] {
                all.push(sum_said(&ctx, key).await);
            }
            all
        });
        let (good, bad) = (Ok(2), |text| Err(Said(Cow::Borrowed(text))));
        assert_eq!(said.await.unwrap(), [good, bad("static"), bad("no three")]);
    });
}

#[test]
fn each_nests_in_a_task_of_another_scope() {
    on_both(|| async {
        let nested = tokio::spawn(async {
            scope(&Context::background(), async |outer| {
                let inner = outer.spawn(async |ctx| {
                    scope(&ctx, async |inner| {
                        let task = inner.spawn(async |ctx| sum_boxed(&ctx, &["20"]).await);
                        let io = inner.spawn(async |ctx| Ok(sum_io(&ctx).await?));
                        Ok::<_, Boxed>(task.await? + io.await?)
                    })
                    .await
                });
                Ok::<_, Boxed>(inner.await?)
            })
            .await
            .map_err(|e| e.to_string())
        });
        assert_eq!(nested.await.unwrap(), Ok(22));
    });
}

#[async_trait]
trait Backend: Send + Sync {
    async fn load(&self, ctx: &Context, keys: &[&str]) -> Result<u32, Boxed>;
}

struct Parsing;

#[async_trait]
impl Backend for Parsing {
    async fn load(&self, ctx: &Context, keys: &[&str]) -> Result<u32, Boxed> {
        scope(ctx, async |s| {
            let mut sum = sum_boxed(s.context(), keys).await?;
            let task = s.spawn(async |_| parse("1").await);
            sum += task.await?;
            Ok(sum)
        })
        .await
    }
}

#[test]
fn a_scope_may_stand_below_an_async_trait() {
    on_both(|| async {
        let backend: Arc<dyn Backend> = Arc::new(Parsing);
        let task = tokio::spawn(async move {
            let loaded = backend.load(&Context::background(), &["4", "5"]).await;
            loaded.map_err(|e| e.to_string())
        });
        assert_eq!(task.await.unwrap(), Ok(10));
    });
}

fn opaque<'a>(
    ctx: &'a Context,
    text: &'a str,
) -> impl Future<Output = Result<u32, Boxed>> + Send + 'a {
    scope(ctx, move |s| async move {
        let text = text.to_owned();
        let task = s.spawn(async move |_| parse(&text).await);
        Ok(task.await?)
    })
}

/// What a struct has to name: a future in a box.
struct Job<'a> {
    work: Pin<Box<dyn Future<Output = Result<u32, Boxed>> + Send + 'a>>,
}

#[test]
fn a_scope_may_be_returned_and_kept() {
    on_both(|| async {
        let ctx = Context::background();
        let job = Job {
            work: Box::pin(opaque(&ctx, "7")),
        };
        assert_eq!(job.work.await.unwrap(), 7);
    });
}

/// A handle in a struct, with the scope's error in the struct's type.
struct Uploads {
    tasks: Scope<io::Error>,
}

impl Uploads {
    fn start(&self, size: u32) -> Task<u32> {
        self.tasks.spawn(async move |_| Ok(size * 2))
    }
}

#[test]
fn the_bodys_handle_moves_into_a_struct() {
    on_both(|| async {
        let sum = ScopeOptions::new()
            .name("uploads")
            .run(&Context::background(), async |s| {
                let uploads = Uploads { tasks: s };
                let (one, two) = (uploads.start(1), uploads.start(2));
                Ok(one.await? + two.await?)
            })
            .await;
        assert_eq!(sum.unwrap(), 6);
    });
}

#[test]
fn a_task_that_cannot_fail_returns_nothing() {
    on_both(|| async {
        let done = scope(&Context::background(), async |s| {
            let nothing: () = s.spawn(async |_| ()).await?;
            let blocking: () = s.spawn_blocking(|_| ()).await?;
            let (ready, task) = s
                .start(async |_, ready| {
                    let _told = ready.set(3);
                })
                .await?;
            let last: () = task.await?;
            Ok::<_, Boxed>((nothing, blocking, ready, last))
        })
        .await;
        assert_eq!(done.unwrap(), ((), (), 3, ()));
    });
}
