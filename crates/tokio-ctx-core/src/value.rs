//! The kernel of values: an immutable, parent-linked chain.
//!
//! Invariants:
//!
//! 1. A node never changes after it is made: there is no protocol here and no lock.
//! 2. `mask` holds the bits of every key on the chain; a key whose bits are missing is not there.
//! 3. `detach` marks a chain with a value that does not survive a detach. Values added below
//!    such a value are held apart from their node, so that a detached chain can share them
//!    without keeping the rest alive.
//! 4. A chain is dropped without recursion.

use std::any::{Any, TypeId};
use std::fmt;
use std::sync::Arc;

use crate::foreign;
use crate::key::Key;
use crate::word::word_of;

/// The head of a chain.
pub(crate) type Values = Option<Arc<ValueNode>>;

pub(crate) struct ValueNode<E: ?Sized = dyn Entry> {
    links: Links,
    entry: E,
}

struct Links {
    parent: Values,
    mask: u64,
    key: TypeId,
    /// Whether a value on the chain, this one included, does not survive a detach.
    detach: bool,
    survives: bool,
}

/// A value, or the absence that hides one, without its type.
pub(crate) trait Entry: Send + Sync + 'static {
    /// The value, as an `Arc`-free borrow of whatever the key's type is; `None` hides one.
    fn value(&self) -> Option<&(dyn Any + Send + Sync)> {
        None
    }

    /// The name of the key, and the value if it may be printed.
    fn shown(&self) -> (&'static str, Option<&dyn fmt::Display>) {
        ("", None)
    }

    /// What another chain can share; only of a value that is held apart from its node.
    fn apart(&self) -> Option<&Arc<dyn Entry>> {
        None
    }
}

/// A value in its node.
struct Held<K: Key>(K::Value);

impl<K: Key> Entry for Held<K> {
    fn value(&self) -> Option<&(dyn Any + Send + Sync)> {
        Some(&self.0)
    }

    fn shown(&self) -> (&'static str, Option<&dyn fmt::Display>) {
        (K::NAME, K::display(&self.0))
    }
}

/// A value held apart from its node.
struct Apart(Arc<dyn Entry>);

impl Entry for Apart {
    fn value(&self) -> Option<&(dyn Any + Send + Sync)> {
        self.0.value()
    }

    fn shown(&self) -> (&'static str, Option<&dyn fmt::Display>) {
        self.0.shown()
    }

    fn apart(&self) -> Option<&Arc<dyn Entry>> {
        Some(&self.0)
    }
}

/// Hides the ancestors' value of a key.
struct Hidden;

impl Entry for Hidden {}

/// The chain `values` with `value` below it.
pub(crate) fn with_value<K: Key>(values: &Values, value: K::Value) -> Values {
    let entry = Held::<K>(value);
    let below_detach = values.as_ref().is_some_and(|node| node.links.detach);
    if K::SURVIVES_DETACH && below_detach {
        push(values, TypeId::of::<K>(), true, Apart(Arc::new(entry)))
    } else {
        push(values, TypeId::of::<K>(), K::SURVIVES_DETACH, entry)
    }
}

/// The chain `values` with the value of `K` hidden; the chain itself when there is none.
pub(crate) fn without_value<K: Key>(values: &Values) -> Values {
    if value::<K>(values).is_none() {
        return values.clone();
    }
    push(values, TypeId::of::<K>(), true, Hidden)
}

fn push<E: Entry>(values: &Values, key: TypeId, survives: bool, entry: E) -> Values {
    let parent = values.clone();
    let (mask, detach) = match &parent {
        Some(node) => (node.links.mask, node.links.detach),
        None => (0, false),
    };
    Some(Arc::new(ValueNode {
        links: Links {
            parent,
            mask: mask | mask_of(key),
            key,
            detach: detach || !survives,
            survives,
        },
        entry,
    }))
}

/// The nearest value of `K`.
#[inline]
pub(crate) fn value<K: Key>(values: &Values) -> Option<&K::Value> {
    let key = TypeId::of::<K>();
    let bits = mask_of(key);
    let mut node = values.as_ref()?;
    if node.links.mask & bits != bits {
        return None;
    }
    while node.links.key != key {
        node = node.links.parent.as_ref()?;
    }
    node.entry.value()?.downcast_ref()
}

/// Three of 64 bits. A false "maybe" costs a walk, never a wrong answer.
#[inline]
fn mask_of(key: TypeId) -> u64 {
    // A `TypeId` is a hash already.
    let word = word_of(key);
    let bit = |from: u32| 1u64 << ((word >> from) & 63);
    bit(0) | bit(6) | bit(12)
}

/// The chain without the values that do not survive a detach, and without keeping them.
pub(crate) fn detached(values: &Values) -> Values {
    let mut lower = Vec::new();
    let mut node = values.as_ref();
    while let Some(current) = node.filter(|node| node.links.detach) {
        lower.push(current);
        node = current.links.parent.as_ref();
    }
    let mut chain = node.cloned();
    // All values of a key that does not survive go: survival is the key's to say.
    for node in lower.into_iter().rev().filter(|node| node.links.survives) {
        let key = node.links.key;
        chain = match node.entry.apart() {
            Some(value) => push(&chain, key, true, Apart(Arc::clone(value))),
            None => push(&chain, key, true, Hidden),
        };
    }
    chain
}

/// The visible entries, nearest first; a shadowed or hidden one does not appear.
pub(crate) fn visible(values: &Values) -> impl Iterator<Item = &dyn Entry> {
    let mut seen: Vec<TypeId> = Vec::new();
    let mut node = values.as_ref();
    std::iter::from_fn(move || {
        while let Some(current) = node {
            node = current.links.parent.as_ref();
            if !seen.contains(&current.links.key) {
                seen.push(current.links.key);
                if current.entry.value().is_some() {
                    return Some(&current.entry);
                }
            }
        }
        None
    })
}

impl Drop for Links {
    /// Invariant 4. A node that another thread drops at the same moment runs this again, one
    /// frame deeper; that needs two threads at one node and does not add up along a chain.
    fn drop(&mut self) {
        let mut next = self.parent.take();
        while let Some(mut arc) = next {
            // The count first: to be sure of it takes an exclusive access to memory.
            if Arc::strong_count(&arc) > 1 {
                return;
            }
            next = Arc::get_mut(&mut arc).and_then(|node| node.links.parent.take());
            foreign::discard(arc);
        }
    }
}
