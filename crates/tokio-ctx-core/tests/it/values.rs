//! Typed values: nearest wins, absence is ordinary, keys are types.

use std::collections::HashMap;

use tokio_ctx_core::{Context, Key, key};

use crate::support::HOUR;

key! {
    Name: &'static str;
    Nickname: &'static str;
    Age: u32;
    Maybe: Option<u32>;
}

#[test]
fn a_missing_key_is_absent_at_the_root_and_below() {
    let root = Context::background();
    assert_eq!(root.value::<Name>(), None);
    assert_eq!(Context::todo().value::<Name>(), None);
    let ctx = root
        .with_value::<Age>(3)
        .with_cancel()
        .disarm()
        .with_timeout(HOUR);
    assert_eq!(ctx.value::<Name>(), None);
    assert_eq!(ctx.value::<Age>(), Some(&3));
}

#[test]
fn keys_of_the_same_value_type_are_different_keys() {
    let ctx = Context::background().with_value::<Name>("Ada");
    assert_eq!(ctx.value::<Nickname>(), None);
    let ctx = ctx.with_value::<Nickname>("Countess");
    assert_eq!(ctx.value::<Name>(), Some(&"Ada"));
    assert_eq!(ctx.value::<Nickname>(), Some(&"Countess"));
}

#[test]
fn keys_of_the_same_name_in_different_places_are_different_keys() {
    mod elsewhere {
        tokio_ctx_core::key! { pub(super) Name: &'static str }
    }
    let ctx = Context::background().with_value::<Name>("here");
    assert_eq!(ctx.value::<elsewhere::Name>(), None);
    let ctx = ctx.with_value::<elsewhere::Name>("there");
    assert_eq!(ctx.value::<Name>(), Some(&"here"));
}

#[test]
fn a_child_sees_the_values_of_all_its_ancestors() {
    let top = Context::background().with_value::<Name>("Ada");
    let middle = top.with_cancel().map(|ctx| ctx.with_value::<Age>(36));
    let bottom = middle.with_timeout(HOUR).with_value::<Nickname>("Countess");
    assert_eq!(bottom.value::<Name>(), Some(&"Ada"));
    assert_eq!(bottom.value::<Age>(), Some(&36));
    assert_eq!(bottom.value::<Nickname>(), Some(&"Countess"));
    assert_eq!(top.value::<Age>(), None);
    assert_eq!(middle.value::<Nickname>(), None);
}

#[test]
fn binding_again_hides_for_the_child_alone() {
    let parent = Context::background().with_value::<Age>(1);
    let child = parent.with_value::<Age>(2);
    assert_eq!(parent.value::<Age>(), Some(&1));
    assert_eq!(child.value::<Age>(), Some(&2));
}

#[test]
fn masking_hides_for_the_child_alone_until_it_is_bound_again() {
    let parent = Context::background()
        .with_value::<Age>(1)
        .with_value::<Name>("Ada");
    let masked = parent.without_value::<Age>();
    assert_eq!(masked.value::<Age>(), None);
    assert_eq!(masked.with_cancel().value::<Age>(), None);
    assert_eq!(masked.value::<Name>(), Some(&"Ada"));
    assert_eq!(parent.value::<Age>(), Some(&1));
    assert_eq!(masked.with_value::<Age>(3).value::<Age>(), Some(&3));
    assert_eq!(
        Context::background().without_value::<Age>().value::<Age>(),
        None
    );
}

#[test]
fn a_value_that_may_be_none_is_told_from_an_absent_one() {
    let ctx = Context::background().with_value::<Maybe>(None);
    assert_eq!(ctx.value::<Maybe>(), Some(&None));
    assert_eq!(Context::background().value::<Maybe>(), None);
}

#[test]
fn look_ups_pass_lifetimes_in_any_order() {
    let root = Context::background();
    let orders = [
        root.with_value::<Age>(7)
            .with_cancel()
            .disarm()
            .with_timeout(HOUR),
        root.with_cancel()
            .disarm()
            .with_value::<Age>(7)
            .with_timeout(HOUR)
            .with_name("n"),
        root.with_timeout(HOUR)
            .with_cancel()
            .disarm()
            .with_value::<Age>(7),
        root.with_value::<Age>(7).merge(&root.with_cancel()),
    ];
    for ctx in &orders {
        assert_eq!(ctx.value::<Age>(), Some(&7), "{ctx:?}");
    }
}

#[test]
fn a_value_is_borrowed_from_the_context_and_never_copied() {
    key! { Big: Vec<u8> }
    let ctx = Context::background().with_value::<Big>(vec![1; 1 << 16]);
    let address = |ctx: &Context| ctx.value::<Big>().expect("bound above").as_ptr();
    assert_eq!(address(&ctx), address(&ctx.clone()));
    assert_eq!(
        address(&ctx),
        address(&ctx.with_cancel().with_value::<Age>(1))
    );
}

#[test]
fn a_value_lives_as_long_as_the_last_context_that_can_see_it() {
    key! { Held: crate::support::OnDrop }
    let count = crate::support::Count::default();
    let parent = Context::background().with_value::<Held>(count.on_drop());
    let child = parent.with_value::<Age>(1);
    drop(parent);
    assert_eq!(count.get(), 0);
    drop(child);
    assert_eq!(count.get(), 1);
}

#[test]
fn a_private_key_with_public_functions_hides_the_key() {
    mod auth {
        use tokio_ctx_core::{Context, key};

        key! { UserKey: u32 }

        pub(super) fn with_user(ctx: &Context, user: u32) -> Context {
            ctx.with_value::<UserKey>(user)
        }

        pub(super) fn user(ctx: &Context) -> u32 {
            ctx.value::<UserKey>().copied().unwrap_or(0)
        }
    }
    let ctx = auth::with_user(&Context::background(), 7);
    assert_eq!(auth::user(&ctx), 7);
    assert_eq!(auth::user(&Context::background()), 0);
}

/// A hundred keys, so that masks collide and chains are longer than a segment.
struct Nth<const TENS: usize, const ONES: usize>;

impl<const TENS: usize, const ONES: usize> Key for Nth<TENS, ONES> {
    type Value = u64;
    const NAME: &'static str = "Nth";
    const SURVIVES_DETACH: bool = ONES != 9;
}

struct Row {
    with: fn(&Context, u64) -> Context,
    without: fn(&Context) -> Context,
    get: fn(&Context) -> Option<u64>,
    survives: bool,
}

fn row<const TENS: usize, const ONES: usize>() -> Row {
    Row {
        with: |ctx, value| ctx.with_value::<Nth<TENS, ONES>>(value),
        without: |ctx| ctx.without_value::<Nth<TENS, ONES>>(),
        get: |ctx| ctx.value::<Nth<TENS, ONES>>().copied(),
        survives: Nth::<TENS, ONES>::SURVIVES_DETACH,
    }
}

fn ten<const TENS: usize>() -> [Row; 10] {
    [
        row::<TENS, 0>(),
        row::<TENS, 1>(),
        row::<TENS, 2>(),
        row::<TENS, 3>(),
        row::<TENS, 4>(),
        row::<TENS, 5>(),
        row::<TENS, 6>(),
        row::<TENS, 7>(),
        row::<TENS, 8>(),
        row::<TENS, 9>(),
    ]
}

fn hundred() -> Vec<Row> {
    [
        ten::<0>(),
        ten::<1>(),
        ten::<2>(),
        ten::<3>(),
        ten::<4>(),
        ten::<5>(),
        ten::<6>(),
        ten::<7>(),
        ten::<8>(),
        ten::<9>(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A plain generator of numbers, the same in each run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }
}

#[test]
fn any_sequence_of_bindings_answers_as_a_map_would() {
    let keys = hundred();
    for seed in 0..60 {
        let mut numbers = Numbers(seed);
        let mut ctx = Context::background();
        let mut model: HashMap<usize, u64> = HashMap::new();
        // Half of the seeds use few keys, so that hiding is frequent.
        let used = if seed % 2 == 0 { keys.len() } else { 7 };
        let first = numbers.below(keys.len() - used + 1);
        for step in 0..120 {
            let index = first + numbers.below(used);
            match numbers.below(20) {
                0 => {
                    ctx = ctx.without_cancel();
                    model.retain(|index, _| keys[*index].survives);
                }
                1..5 => {
                    ctx = (keys[index].without)(&ctx);
                    model.remove(&index);
                }
                _ => {
                    ctx = (keys[index].with)(&ctx, step);
                    model.insert(index, step);
                }
            }
            for (index, key) in keys.iter().enumerate() {
                let found = (key.get)(&ctx);
                assert_eq!(
                    found,
                    model.get(&index).copied(),
                    "seed {seed}, step {step}, key {index}"
                );
            }
        }
    }
}
