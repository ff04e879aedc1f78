//! Random numbers and ids as the documentation of the context defines them, written a second time.

use ordain_types::{LogId, Seq, Timestamp};

pub(crate) struct Stream {
    state: u64,
}

impl Stream {
    /// Begins where a scramble of the log's id and the seq says.
    pub fn new(log_id: LogId, seq: Seq) -> Self {
        let halves = (log_id.0 / (1 << 64), log_id.0 % (1 << 64));
        let mut seed = Stream {
            state: halves.0 as u64 ^ halves.1 as u64,
        };
        let state = seed.random() ^ seq.0.wrapping_mul(15_074_714_826_142_052_245);
        Stream { state }
    }

    /// SplitMix64.
    pub fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(11_400_714_819_323_198_485);
        let mixed = |x: u64, shift: u32, by: u64| (x ^ x >> shift).wrapping_mul(by);
        let x = mixed(self.state, 30, 13_787_848_793_156_543_929);
        let x = mixed(x, 27, 10_723_151_780_598_845_931);
        x ^ x >> 31
    }

    /// Version 7: 48 bits of time, then random bits around the version and the variant.
    pub fn uuid(&mut self, now: Timestamp) -> u128 {
        let (high, low) = (self.random(), self.random());
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&high.to_be_bytes());
        bytes[8..].copy_from_slice(&low.to_be_bytes());
        bytes[..6].copy_from_slice(&now.0.to_be_bytes()[2..]);
        bytes[6] = bytes[6] % 16 + 7 * 16;
        bytes[8] = bytes[8] % 64 + 128;
        u128::from_be_bytes(bytes)
    }
}
