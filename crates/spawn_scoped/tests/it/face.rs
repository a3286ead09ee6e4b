//! The face: inference, `Send`, borrowing in the body, nesting.

use spawn_scoped::{Scope, ScopeOptions, Task, scope};
use tokio_ctx_core::{Cancelled, Context};

use crate::support::{AppError, on_both};

async fn count(ctx: &Context, rows: u64) -> anyhow::Result<u64> {
    ctx.check()?;
    Ok(rows)
}

async fn count_or_break(_ctx: &Context, rows: u64) -> Result<u64, AppError> {
    if rows == 0 {
        Err(AppError::Broken("empty"))
    } else {
        Ok(rows)
    }
}

#[test]
fn the_error_type_is_inferred_from_the_spawned_futures() {
    on_both(|| async {
        async fn with_anyhow(ctx: &Context) -> anyhow::Result<u64> {
            let total = scope(ctx, async |s| {
                let users = s.spawn(async move |ctx| count(&ctx, 3).await);
                let orders = s.spawn(async move |ctx| count(&ctx, 4).await);
                Ok(users.await? + orders.await?)
            })
            .await?;
            Ok(total)
        }
        async fn with_own(ctx: &Context) -> Result<u64, AppError> {
            scope(ctx, async |s| {
                let users = s.spawn(async move |ctx| count_or_break(&ctx, 3).await);
                let orders = s.spawn(async move |ctx| count_or_break(&ctx, 0).await);
                Ok(users.await? + orders.await?)
            })
            .await
        }
        let ctx = Context::background();
        assert_eq!(with_anyhow(&ctx).await.unwrap(), 7);
        assert_eq!(with_own(&ctx).await.unwrap_err(), AppError::Broken("empty"));
    });
}

#[test]
fn the_body_borrows_locals_of_its_caller() {
    on_both(|| async {
        let mut seen = Vec::new();
        let text = String::from("borrowed");
        scope(&Context::background(), async |s| {
            seen.push(text.as_str());
            let length = text.len();
            let doubled = s.spawn(async move |_| Ok::<_, Cancelled>(length * 2));
            assert_eq!(doubled.await?, 16);
            seen.push("after");
            Ok(())
        })
        .await
        .unwrap();
        assert_eq!(seen, ["borrowed", "after"]);
    });
}

#[test]
fn scopes_nest_inside_spawned_tasks() {
    on_both(|| async {
        let sum = scope(&Context::background(), async |outer| {
            let tasks: Vec<Task<u64>> = (0..4)
                .map(|i| {
                    outer.spawn(async move |ctx| {
                        scope(&ctx, async |inner| {
                            let one = inner.spawn(async move |_| Ok::<_, Cancelled>(i));
                            let two = inner.spawn(async move |_| Ok(i));
                            Ok(one.await? + two.await?)
                        })
                        .await
                    })
                })
                .collect();
            let mut sum = 0;
            for task in tasks {
                sum += task.await?;
            }
            Ok(sum)
        })
        .await;
        assert_eq!(sum.unwrap(), 12);
    });
}

#[test]
fn a_task_spawns_siblings_through_a_clone() {
    on_both(|| async {
        let result = scope(&Context::background(), async |s: Scope<Cancelled>| {
            let clone = s.clone();
            let sum = s.spawn(async move |_| {
                let sibling = clone.spawn(async |_| Ok(20));
                Ok(sibling.await? + 1)
            });
            sum.await
        })
        .await;
        assert_eq!(result.unwrap(), 21);
    });
}

#[test]
fn the_auto_traits_are_as_promised() {
    fn check<T: Send + Sync>() {}
    fn check_send<T: Send>(_: T) {}
    struct OnlySend(#[expect(dead_code)] std::cell::Cell<u8>);
    impl From<Cancelled> for OnlySend {
        fn from(_: Cancelled) -> Self {
            OnlySend(std::cell::Cell::new(0))
        }
    }
    check::<Scope<OnlySend>>();
    check::<Task<u8>>();
    check::<ScopeOptions<OnlySend>>();
    check::<spawn_scoped::TaskSnapshot>();
    check::<spawn_scoped::TaskFailure>();
    let ctx = Context::background();
    check_send(scope(&ctx, async |s: Scope<OnlySend>| {
        s.spawn(async |_| Ok(())).await?;
        Ok(())
    }));
    check_send(spawn_scoped::root().join());
}

#[test]
fn the_body_may_be_a_plain_closure_that_returns_a_future() {
    on_both(|| async {
        let result = scope(&Context::background(), |_: Scope<Cancelled>| async {
            Ok(3)
        })
        .await;
        assert_eq!(result.unwrap(), 3);
    });
}
