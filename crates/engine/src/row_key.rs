//! The key of a row within its owner, or of an owner: bytes, in their order. Short ones, which most are, lie
//! in the nodes of the tree they are in, and eight bytes at once tell most of them apart: whoever looks for
//! one key among a million touches the nodes on his way and little else.

use std::cmp::Ordering;
use std::ops::Deref;

use ordain_types::granule::head;
use smallvec::SmallVec;

/// Room for what an idempotency key mostly is: a UUID as text, and before it a caller's name of eleven bytes
/// and a zero. Of a longer one each look allocates.
const INLINE: usize = 48;

/// A key of a row.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct RowKey {
    /// Of the bytes.
    head: u64,
    bytes: SmallVec<[u8; INLINE]>,
}

impl RowKey {
    /// What a key of this length takes beside its place in a node, in bytes.
    pub fn beside(len: usize) -> usize {
        if len > INLINE { len } else { 0 }
    }
}

impl From<&[u8]> for RowKey {
    fn from(key: &[u8]) -> Self {
        Self {
            head: head(key),
            bytes: SmallVec::from_slice(key),
        }
    }
}

impl Deref for RowKey {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Ord for RowKey {
    fn cmp(&self, other: &Self) -> Ordering {
        let heads = self.head.cmp(&other.head);
        heads.then_with(|| self.bytes.cmp(&other.bytes))
    }
}

impl PartialOrd for RowKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn their_order_is_that_of_their_bytes() {
        let zeros = [0; 12];
        let long = [7; INLINE + 1];
        let keys = [
            &b""[..],
            b"a",
            b"a\0",
            b"aaaaaaaa",
            b"aaaaaaaa\0",
            b"aaaaaaab",
            b"b",
            &zeros[..1],
            &zeros[..7],
            &zeros[..8],
            &zeros[..9],
            &zeros,
            &long[..8],
            &long[..INLINE],
            &long,
        ];
        for left in keys {
            for right in keys {
                let (one, other) = (RowKey::from(left), RowKey::from(right));
                assert_eq!(one.cmp(&other), left.cmp(right), "{left:?} to {right:?}");
                assert_eq!(one == other, left == right, "{left:?} and {right:?}");
            }
        }
    }
}
