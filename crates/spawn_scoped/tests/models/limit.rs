//! Promise 7: a slot that comes free is missed by nobody.

use spawn_scoped::ScopeOptions;
use tokio_ctx_core::{Cancelled, Context};

use super::harness::{Model, block_on};

#[test]
fn a_waiter_gets_the_slot_of_a_task_that_ends() {
    Model::of(500).explore(|_| {
        let result = block_on(ScopeOptions::<Cancelled>::new().limit(1).run(
            &Context::background(),
            async |s| {
                assert!(
                    s.task()
                        .try_slot()
                        .map(|slot| slot.spawn(async |_| Ok(())))
                        .is_ok()
                );
                let second = s.slot().await?.spawn(async |_| Ok(2));
                second.await
            },
        ));
        assert_eq!(result.unwrap(), 2);
    });
}
