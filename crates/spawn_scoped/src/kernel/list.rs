//! What a scope remembers of its tasks, until they are finished and a little longer.

use std::collections::VecDeque;

use crate::data::entry::Entry;

/// So many tasks are remembered without room on the heap.
const FEW: usize = 4;

/// In a list of so few tasks the finished ones are not looked for.
pub(crate) const SWEEP_FROM: usize = 64;

/// Tasks that are taken out of the list in one piece. So many that their pieces of the heap are
/// no allocations worth counting, and so few that their memory is still in the cache.
pub(crate) const CHUNK: usize = 256;

/// A list of tasks, in the order in which they were written down.
pub(crate) struct List {
    /// The first tasks, which stay: most scopes have no more.
    few: [Option<Entry>; FEW],
    num_few: usize,
    /// The further ones, without those that were swept. All chunks but the last are full.
    more: VecDeque<Vec<Entry>>,
    /// How many fit without allocating, and before it is time to sweep.
    room: usize,
    /// The number of further ones at which it is time to sweep.
    sweep_at: usize,
}

impl List {
    pub(crate) const fn new() -> Self {
        Self {
            few: [const { None }; FEW],
            num_few: 0,
            more: VecDeque::new(),
            room: 0,
            sweep_at: SWEEP_FROM - FEW,
        }
    }

    /// Whether a task can be written down by taking no more than a place.
    #[inline]
    pub(crate) fn has_room(&self) -> bool {
        self.num_few < FEW || self.room > 0
    }

    /// Writes down a task: where there is room for it, the entry is made where it goes. What is
    /// made before has to be kept in memory, in case something between panics, and is read back
    /// before it is there.
    #[inline]
    pub(crate) fn push(&mut self, entry: impl FnOnce() -> Entry) {
        if let Some(place) = self.few.get_mut(self.num_few) {
            self.num_few += 1;
            let _none = place.replace(entry());
            return;
        }
        match self.more.back_mut() {
            Some(last) if self.room > 0 && last.len() < last.capacity() => {
                self.room -= 1;
                last.push(entry());
            }
            _ => self.push_and_grow(entry()),
        }
    }

    #[cold]
    #[inline(never)]
    fn push_and_grow(&mut self, entry: Entry) {
        let is_full = |last: &Vec<Entry>| last.len() == CHUNK;
        if self.more.back().is_none_or(is_full) {
            // The first chunk grows, since the list may stay short.
            let num = if self.more.is_empty() { FEW } else { CHUNK };
            self.more.push_back(Vec::with_capacity(num));
        }
        if let Some(last) = self.more.back_mut() {
            last.push(entry);
            self.room = last.capacity().min(CHUNK) - last.len();
        }
        self.room = self.room.min(self.sweep_at.saturating_sub(self.num_more()));
    }

    /// How many are kept besides the first few, finished ones included.
    pub(crate) fn num_more(&self) -> usize {
        let full = self.more.len().saturating_sub(1) * CHUNK;
        full + self.more.back().map_or(0, Vec::len)
    }

    pub(crate) fn is_due(&self) -> bool {
        self.num_more() >= self.sweep_at
    }

    /// Takes out the finished ones, unless most of the list must be of the `unfinished`. The
    /// caller drops them.
    pub(crate) fn sweep(&mut self, unfinished: usize) -> Vec<Entry> {
        let mut swept = Vec::new();
        let len = self.num_more();
        let finished = len.saturating_sub(unfinished);
        if finished * 2 >= len {
            swept.reserve_exact(len);
            let all = std::mem::take(&mut self.more);
            self.room = 0;
            for entry in all.into_iter().flatten() {
                match entry.is_finished() {
                    true => swept.push(entry),
                    false => self.push(|| entry),
                }
            }
        }
        self.sweep_at = (self.num_more() * 2).max(SWEEP_FROM - FEW);
        swept
    }

    /// Takes out the chunk that was written down first, if all of it is finished. The caller
    /// drops it.
    pub(crate) fn sweep_front(&mut self) -> Option<Vec<Entry>> {
        let chunk = self.more.front()?;
        // Mostly the last is the last to finish.
        let is_finished = chunk.len() == CHUNK && chunk.iter().rev().all(Entry::is_finished);
        if !is_finished {
            return None;
        }
        if self.more.len() == 1 {
            self.room = 0;
        }
        self.more.pop_front()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry> {
        let few = self.few.iter().flatten();
        few.chain(self.more.iter().flatten())
    }
}
