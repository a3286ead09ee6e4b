//! A duration in three bytes.

use std::time::Duration;

/// The time that a deadline allowed, for people to read: a unit and 22 bits of it, which are
/// exact for what people write and leave the node at 80 bytes.
#[derive(Clone, Copy)]
pub(super) struct After([u8; 3]);

const VALUE_BITS: u32 = 22;
const LARGEST: u128 = (1 << VALUE_BITS) - 2;
const NANOS: [u128; 4] = [1, 1_000, 1_000_000, 1_000_000_000];

impl After {
    pub(super) const NONE: After = After([u8::MAX; 3]);

    pub(super) fn new(after: Duration) -> After {
        let nanos = after.as_nanos();
        let unit = NANOS
            .iter()
            .position(|unit| nanos / unit <= LARGEST)
            .unwrap_or(NANOS.len() - 1);
        let value = (nanos / NANOS[unit]).min(LARGEST) as u32;
        let [a, b, c, _] = (((unit as u32) << VALUE_BITS) | value).to_le_bytes();
        After([a, b, c])
    }

    pub(super) fn is_none(self) -> bool {
        self.0 == After::NONE.0
    }

    pub(super) fn get(self) -> Option<Duration> {
        if self.is_none() {
            return None;
        }
        let [a, b, c] = self.0;
        let word = u32::from_le_bytes([a, b, c, 0]);
        let unit = NANOS[(word >> VALUE_BITS) as usize] as u64;
        let value = u64::from(word & ((1 << VALUE_BITS) - 1));
        Some(
            Duration::from_secs(value / (1_000_000_000 / unit))
                + Duration::from_nanos(value % (1_000_000_000 / unit) * unit),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_people_write_are_exact() {
        for after in [
            Duration::ZERO,
            Duration::from_nanos(1),
            Duration::from_micros(1_500),
            Duration::from_millis(250),
            Duration::from_millis(30_500),
            Duration::from_secs(90 * 60),
            Duration::from_secs(48 * 24 * 60 * 60),
        ] {
            assert_eq!(After::new(after).get(), Some(after));
        }
    }

    #[test]
    fn others_are_rounded_down_and_none_stays_none() {
        let odd = Duration::new(5, 123_456_789);
        assert_eq!(After::new(odd).get(), Some(Duration::from_millis(5_123)));
        assert_eq!(
            After::new(Duration::MAX).get().map(|d| d.as_secs()),
            Some(4_194_302)
        );
        assert_eq!(After::NONE.get(), None);
    }
}
