//! Randomness that is no chance: a stream of numbers that depends on the log and the seq alone.

use ordain_types::{Bug, LogId, Seq, Timestamp, planted};

/// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", OOPSLA 2014).
#[derive(Debug, Clone, Default)]
pub(crate) struct Chance(u64);

impl Chance {
    /// The stream of one transaction.
    pub fn new(log_id: LogId, seq: Seq) -> Self {
        let seq = if planted(Bug::SameChance) {
            Seq::ZERO
        } else {
            seq
        };
        let mut chance = Chance((log_id.0 >> 64) as u64 ^ log_id.0 as u64);
        let salt = chance.next();
        Chance(salt ^ seq.0.wrapping_mul(0xd134_2543_de82_ef95))
    }

    /// The next number, uniform over all 64 bits.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A version 7 UUID (RFC 9562): the time, then bits from the stream.
    pub fn uuid(&mut self, now: Timestamp) -> u128 {
        let bits = u128::from(self.next()) << 64 | u128::from(self.next());
        let time = u128::from(now.0 & 0xffff_ffff_ffff) << 80;
        let random = bits & 0x0fff_3fff_ffff_ffff_ffff;
        time | 7 << 76 | 0b10 << 62 | random
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_fixed_and_differ_by_seq_and_log() {
        let first = |log, seq| Chance::new(LogId(log), Seq(seq)).next();
        assert_eq!(first(1, 1), first(1, 1));
        assert_ne!(first(1, 1), first(1, 2));
        assert_ne!(first(1, 1), first(2, 1));
        assert_eq!(
            Chance(0).next(),
            0xe220_a839_7b1d_cdaf,
            "the published first number"
        );
    }

    #[test]
    fn uuids_have_version_variant_and_time() {
        let uuid = Chance(7).uuid(Timestamp(0x0123_4567_89ab));
        assert_eq!(uuid >> 80, 0x0123_4567_89ab);
        assert_eq!(uuid >> 76 & 0xf, 7);
        assert_eq!(uuid >> 62 & 0b11, 0b10);
    }
}
