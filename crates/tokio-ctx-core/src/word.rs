//! Hashes of what is a number already.

use std::hash::{Hash, Hasher};

/// The number that `value` hashes as: of a type's or a runtime's id, which show it in no other way.
#[inline]
pub(crate) fn word_of(value: impl Hash) -> u64 {
    let mut word = Word(0);
    value.hash(&mut word);
    word.0
}

struct Word(u64);

impl Hasher for Word {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.0 ^= u64::from_le_bytes(word);
        }
    }

    fn write_u64(&mut self, word: u64) {
        self.0 ^= word;
    }
}
