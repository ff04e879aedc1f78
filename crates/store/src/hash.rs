//! One number for all contents of a store, the same wherever the contents are the same.

use std::fmt;

use ordain_types::{Bug, planted};
use xxhash_rust::xxh3::Xxh3Default;

use crate::{Error, Snapshot};

/// XXH3-128 over every key and value in key order, each led by its length in eight bytes, little
/// endian. The seq is not part of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct StateHash(pub u128);

impl fmt::Display for StateHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for StateHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StateHash({self})")
    }
}

/// Reads the whole snapshot.
pub fn state_hash(snapshot: &dyn Snapshot) -> Result<StateHash, Error> {
    let mut hasher = StateHasher::default();
    for entry in snapshot.entries() {
        let (key, value) = entry?;
        hasher.update(&key, &value);
    }
    Ok(hasher.finish())
}

/// The hash, entry by entry.
#[derive(Default)]
pub(crate) struct StateHasher(Xxh3Default);

impl StateHasher {
    pub(crate) fn update(&mut self, key: &[u8], value: &[u8]) {
        for bytes in [key, value] {
            self.0.update(&(bytes.len() as u64).to_le_bytes());
            if bytes == key || !planted(Bug::HashSkipsValues) {
                self.0.update(bytes);
            }
        }
    }

    pub(crate) fn finish(&self) -> StateHash {
        StateHash(self.0.digest128())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_hash() {
        let mut hasher = StateHasher::default();
        assert_eq!(
            hasher.finish().to_string(),
            "99aa06d3014798d86001c324468d497f"
        );
        hasher.update(b"a", b"1");
        hasher.update(b"b", b"");
        assert_eq!(
            hasher.finish().to_string(),
            "6ff61c925aac4f14346d247042d1345c"
        );
    }

    #[test]
    fn lengths_count() {
        let hash = |entries: &[(&[u8], &[u8])]| {
            let mut hasher = StateHasher::default();
            for (key, value) in entries {
                hasher.update(key, value);
            }
            hasher.finish()
        };
        assert_ne!(hash(&[(b"ab", b"c")]), hash(&[(b"a", b"bc")]));
        assert_ne!(hash(&[(b"a", b"b"), (b"c", b"d")]), hash(&[(b"a", b"bcd")]));
    }
}
