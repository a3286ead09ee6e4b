//! Promise 10: a long-lived scope uses memory for live tasks only.

use std::sync::Arc;

use spawn_scoped::{ScopeOptions, scope};
use tokio_ctx_core::{Cancelled, Context};

use crate::support::{AppError, Live, on_both};

#[test]
fn a_long_lived_supervising_scope_keeps_nothing_of_finished_tasks() {
    on_both(|| async {
        let live = Arc::new(Live::default());
        let spy = live.clone();
        let report = ScopeOptions::new()
            .supervise()
            .run_reported(&Context::background(), async |s| {
                for turn in 0..50_000_u32 {
                    let token = live.token();
                    let task = s.spawn(async move |_| {
                        drop(token);
                        if turn % 2 == 0 {
                            Ok(())
                        } else {
                            Err(AppError::Broken("odd"))
                        }
                    });
                    let _ = task.await;
                    assert!(live.count() <= 1);
                }
                Ok("done")
            })
            .await;
        assert_eq!(report.result.unwrap(), "done");
        assert_eq!(report.num_late, 25_000);
        assert_eq!(report.late.len(), 32);
        assert_eq!(spy.count(), 0);
    });
}

#[test]
fn a_handle_of_a_scope_does_not_keep_its_tasks_alive() {
    on_both(|| async {
        let live = Arc::new(Live::default());
        let spy = live.clone();
        let escaped = scope(&Context::background(), async |s| {
            for _ in 0..100 {
                let token = live.token();
                s.spawn(async move |_| {
                    drop(token);
                    Ok::<_, Cancelled>(())
                });
            }
            Ok(s.clone())
        })
        .await
        .unwrap();
        assert_eq!(spy.count(), 0);
        assert!(escaped.unfinished().is_empty());
    });
}
