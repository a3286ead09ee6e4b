//! Which points are cut where there are too many of them.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};

/// `most` points of `1..=points`, in order: the same ones for the same seed (Floyd's algorithm).
pub(crate) fn sample(points: u64, most: u64, seed: u64) -> BTreeSet<u64> {
    let mut state = seed;
    let mut sample = BTreeSet::new();
    for last in points.saturating_sub(most) + 1..=points {
        let drawn = 1 + next(&mut state) % last;
        if !sample.insert(drawn) {
            sample.insert(last);
        }
    }
    sample
}

/// A seed that is another one each time.
pub(crate) fn seed() -> u64 {
    RandomState::new().hash_one("cut points") % 1_000_000
}

/// SplitMix64, by Sebastiano Vigna.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_has_the_size_asked_for_and_stays_among_the_points() {
        for (points, most) in [(10, 3), (10, 10), (10, 20), (1, 1), (5_000, 100)] {
            let sample = sample(points, most, 7);
            assert_eq!(sample.len() as u64, most.min(points));
            assert!(sample.iter().all(|point| (1..=points).contains(point)));
        }
    }

    #[test]
    fn a_seed_gives_the_same_sample_and_another_one_another() {
        assert_eq!(sample(1_000, 50, 1), sample(1_000, 50, 1));
        assert_ne!(sample(1_000, 50, 1), sample(1_000, 50, 2));
    }
}
