//! Values: rows 8 to 10.

use std::hint::black_box;
use std::sync::Arc;

use tokio_ctx::{Context, Key};

use crate::go::Go;
use crate::harness::Group;

/// As many keys as one likes.
struct Numbered<const N: u32>;

impl<const N: u32> Key for Numbered<N> {
    type Value = u64;
    const NAME: &'static str = "numbered";
}

type Add = fn(&Context) -> Context;
type Look = fn(&Context) -> Option<&u64>;

fn add_key<const N: u32>(context: &Context) -> Context {
    context.with_value::<Numbered<N>>(u64::from(N))
}

/// As a caller would have it, who names the key: small enough to be inlined.
#[inline]
fn look_up<const N: u32>(context: &Context) -> Option<&u64> {
    black_box(context).value::<Numbered<N>>()
}

macro_rules! decades {
    ($function:ident, $($ten:literal)*) => {
        [$(
            $function::<{ $ten * 10 }>, $function::<{ $ten * 10 + 1 }>,
            $function::<{ $ten * 10 + 2 }>, $function::<{ $ten * 10 + 3 }>,
            $function::<{ $ten * 10 + 4 }>, $function::<{ $ten * 10 + 5 }>,
            $function::<{ $ten * 10 + 6 }>, $function::<{ $ten * 10 + 7 }>,
            $function::<{ $ten * 10 + 8 }>, $function::<{ $ten * 10 + 9 }>,
        )*]
    };
}

static ADD: [Add; 100] = decades!(add_key, 0 1 2 3 4 5 6 7 8 9);

/// A context with `depth` values under different keys, from the background.
pub(crate) fn chain_of_values(depth: usize) -> Context {
    let mut context = Context::background();
    for add in &ADD[..depth] {
        context = add(&context);
    }
    context
}

/// How many keys [`absent_among`] looks up.
pub(crate) const ABSENT: u64 = 30;

/// Looks up keys that no context has: several, because luck decides whether the mask alone
/// rules a single one out.
pub(crate) fn absent_among(context: &Context) {
    let keys: [Look; ABSENT as usize] = decades!(look_up, 100 101 102);
    for look in keys {
        assert!(black_box(look(context)).is_none());
    }
}

/// Looks up the key that was added first.
pub(crate) fn look_up_first(context: &Context) {
    assert_eq!(black_box(look_up::<0>(context)), Some(&0));
}

/// As large as a node with a value of eight bytes, and nothing of what makes it one.
struct Floor {
    _parent: Option<Arc<Floor>>,
    _words: [u64; WORDS],
}

const WORDS: usize = 10;

/// Go's value is boxed beforehand and its key is a number in a type of its own, as in Go's
/// benchmarks; ours moves eight bytes in.
pub(super) fn add(go: &Go) -> Group<'_> {
    let parent = chain_of_values(1);
    let background = Context::background();
    let floor = Arc::new(Floor {
        _parent: None,
        _words: [0; WORDS],
    });
    let work = "add a value";
    Group::new()
        .side("tokio-ctx", move || {
            black_box(black_box(&parent).with_value::<Numbered<1>>(black_box(1_000_000)));
        })
        .side("to the background", move || {
            black_box(black_box(&background).with_value::<Numbered<1>>(black_box(1_000_000)));
        })
        .side("a bare `Arc`", move || {
            black_box(Arc::new(Floor {
                _parent: Some(Arc::clone(black_box(&floor))),
                _words: black_box([0; WORDS]),
            }));
        })
        .go("Go", go, "value", 0)
        .go("Go, 1 processor", go, "value", 1)
        .row("8", work, "tokio-ctx", "Go", 0.70)
        .row("8i", work, "tokio-ctx", "Go, 1 processor", None)
        .row("8i", "add the first value", "to the background", "Go", None)
        .row(
            "8i",
            "the least it can be: an `Arc` as large, with a parent",
            "tokio-ctx",
            "a bare `Arc`",
            None,
        )
}

/// Of many absent keys each: 30 here, 32 there, per key.
pub(super) fn absent(go: &Go) -> Group<'_> {
    let (ten, hundred) = (chain_of_values(10), chain_of_values(100));
    Group::new()
        .side("tokio-ctx", move || absent_among(&ten))
        .per(ABSENT)
        .side("among 100", move || absent_among(&hundred))
        .per(ABSENT)
        .go("Go", go, "absent10", 0)
        .per(32)
        .go("Go, 100", go, "absent100", 0)
        .per(32)
        .row(
            "9",
            "look up an absent key, depth 10",
            "tokio-ctx",
            "Go",
            0.10,
        )
        .row("9b", "the same, depth 100", "among 100", "Go, 100", 0.50)
}

pub(super) fn present(go: &Go) -> Group<'_> {
    let ten = chain_of_values(10);
    Group::new()
        .side("tokio-ctx", move || look_up_first(&ten))
        .go("Go", go, "root10", 0)
        .row(
            "10",
            "look up the key at the root of 10",
            "tokio-ctx",
            "Go",
            0.60,
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chain_has_its_keys_and_no_other() {
        let context = chain_of_values(100);
        assert_eq!(look_up::<0>(&context), Some(&0));
        assert_eq!(look_up::<99>(&context), Some(&99));
        absent_among(&context);
    }
}
