//! The obviously right model: a list of contexts, and what Go's `context` package does to it.
//!
//! A cancel goes down to every descendant at once, and a deadline when its time comes, the
//! earliest first. Nothing is lazy, nothing is shared, and every step is a loop over all.

use std::collections::BTreeMap;

/// Why a context ended, as far as both sides can say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    Cancelled(u8),
    GuardDropped(usize),
    /// The time that was allowed.
    Deadline(u64),
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Ctx {
    parents: Vec<usize>,
    /// When this very context ends, and what it was allowed.
    own_deadline: Option<(u64, u64)>,
    pub(crate) deadline: Option<u64>,
    pub(crate) why: Option<Why>,
    pub(crate) values: BTreeMap<u8, Option<u8>>,
}

/// The key whose values stay behind when work is detached.
pub(crate) const REQUEST_ONLY: u8 = 2;

#[derive(Default)]
pub(crate) struct Model {
    pub(crate) now: u64,
    pub(crate) all: Vec<Ctx>,
}

impl Model {
    pub(crate) fn new() -> Model {
        Model {
            now: 0,
            all: vec![Ctx::default()],
        }
    }

    fn add(&mut self, ctx: Ctx) {
        self.all.push(ctx);
        self.settle();
    }

    pub(crate) fn child(&mut self, of: usize) {
        self.add(Ctx {
            parents: vec![of],
            deadline: self.all[of].deadline,
            values: self.all[of].values.clone(),
            ..Ctx::default()
        });
    }

    pub(crate) fn with_deadline(&mut self, of: usize, at: u64) {
        self.child(of);
        let (now, new) = (self.now, self.all.len() - 1);
        let child = &mut self.all[new];
        if child.deadline.is_none_or(|parents| at < parents) {
            child.deadline = Some(at);
            child.own_deadline = Some((at, at.saturating_sub(now)));
        }
        self.settle();
    }

    pub(crate) fn with_value(&mut self, of: usize, key: u8, value: Option<u8>) {
        self.child(of);
        let new = self.all.len() - 1;
        self.all[new].values.insert(key, value);
    }

    /// The values of `of` on the lifetime of `onto`, or on none.
    pub(crate) fn detach(&mut self, of: usize, onto: Option<usize>) {
        let mut values = self.all[of].values.clone();
        values.remove(&REQUEST_ONLY);
        self.add(Ctx {
            parents: onto.into_iter().collect(),
            deadline: onto.and_then(|onto| self.all[onto].deadline),
            values,
            ..Ctx::default()
        });
    }

    /// With what has ended already, the other adds nothing.
    pub(crate) fn merge(&mut self, one: usize, other: usize) {
        let parents = match [one, other].map(|parent| self.all[parent].why.is_some()) {
            [true, _] => vec![one],
            [_, true] => vec![other],
            _ => vec![one, other],
        };
        let deadlines = parents
            .iter()
            .filter_map(|parent| self.all[*parent].deadline);
        self.add(Ctx {
            deadline: deadlines.min(),
            parents,
            values: self.all[one].values.clone(),
            ..Ctx::default()
        });
    }

    /// Returns whether that was what ended it.
    pub(crate) fn cancel(&mut self, which: usize, why: Why) -> bool {
        let won = self.all[which].why.is_none();
        if won {
            self.all[which].why = Some(why);
            self.settle();
        }
        won
    }

    pub(crate) fn advance(&mut self, by: u64) {
        self.now += by;
        self.settle();
    }

    /// What is due ends, the earliest first, and each end goes down.
    fn settle(&mut self) {
        self.go_down();
        while let Some(at) = self.all.iter().filter_map(|ctx| self.due(ctx)).min() {
            for index in 0..self.all.len() {
                if self.due(&self.all[index]) == Some(at) {
                    let after = self.all[index].own_deadline.map(|(_, after)| after);
                    self.all[index].why = after.map(Why::Deadline);
                }
            }
            self.go_down();
        }
    }

    fn due(&self, ctx: &Ctx) -> Option<u64> {
        let (at, _) = ctx.own_deadline?;
        (ctx.why.is_none() && at <= self.now).then_some(at)
    }

    /// Parents come before their children in the list. A merge prefers its first.
    fn go_down(&mut self) {
        for index in 0..self.all.len() {
            if self.all[index].why.is_none() {
                let mut parents = self.all[index].parents.iter();
                let why = parents.find_map(|parent| self.all[*parent].why.clone());
                self.all[index].why = why;
            }
        }
    }
}
