//! A set of slots, which gives them by rising number: neighbours in memory are visited one after the other,
//! so the processor has the next before it is asked for. One bit a slot.

use crate::slots::SlotIndex;

const BITS: u32 = u64::BITS;

#[derive(Default)]
pub(crate) struct SlotSet {
    words: Vec<u64>,
    len: usize,
}

impl SlotSet {
    pub fn insert(&mut self, SlotIndex(at): SlotIndex) {
        let (word, bit) = ((at / BITS) as usize, 1 << (at % BITS));
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        self.len += usize::from(self.words[word] & bit == 0);
        self.words[word] |= bit;
    }

    pub fn len(&self) -> usize {
        self.len
    }

    /// The first slot from this number on.
    pub fn first_from(&self, at: u32) -> Option<SlotIndex> {
        let word = (at / BITS) as usize;
        let here = self.words.get(word)? & (u64::MAX << (at % BITS));
        if here != 0 {
            return Some(SlotIndex(word as u32 * BITS + here.trailing_zeros()));
        }
        let after = &self.words[word + 1..];
        let more = after.iter().position(|word| *word != 0)?;
        let number = (word + 1 + more) as u32 * BITS;
        Some(SlotIndex(number + after[more].trailing_zeros()))
    }

    pub fn iter(&self) -> impl Iterator<Item = SlotIndex> {
        std::iter::successors(self.first_from(0), |at| self.first_from(at.0 + 1))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_gives_what_was_put_in_by_rising_number(numbers in prop::collection::vec(0..300_u32, 0..60)) {
            let mut set = SlotSet::default();
            numbers.iter().for_each(|&at| set.insert(SlotIndex(at)));
            let expected: BTreeSet<u32> = numbers.into_iter().collect();
            prop_assert_eq!(set.len(), expected.len());
            prop_assert_eq!(set.iter().map(|at| at.0).collect::<Vec<_>>(), expected.into_iter().collect::<Vec<_>>());
        }
    }
}
