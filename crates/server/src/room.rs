//! How many calls of one batch or stream may be on their way: so many, and no more than their answers
//! have room for, as far as the answers before tell how long they will be. How calls are run and answers
//! are written is not known here.

use crate::config::ANSWER_BYTES_MAX;

/// What an answer is reckoned at before there was any: so long that the first calls do no harm, whatever
/// they are answered with.
const FIRST_BYTES: usize = 256 << 10;

/// The room of one batch or stream.
#[derive(Debug)]
pub(crate) struct Room {
    most: usize,
    /// Calls without an answer.
    waiting: usize,
    /// Answers not given yet, and their bytes.
    held: usize,
    held_bytes: usize,
    /// As long as the longest of late, which is forgotten little by little.
    expected: usize,
}

impl Room {
    /// Room for at most so many calls.
    pub fn new(most: usize) -> Self {
        Self {
            most,
            waiting: 0,
            held: 0,
            held_bytes: 0,
            expected: FIRST_BYTES,
        }
    }

    /// Whether another call may come in.
    pub fn is_there(&self) -> bool {
        let bytes = self.held_bytes + self.waiting * self.expected;
        self.waiting + self.held < self.most && bytes <= ANSWER_BYTES_MAX
    }

    /// A call came in.
    pub fn asked(&mut self) {
        self.waiting += 1;
    }

    /// Its answer came, of so many bytes.
    pub fn answered(&mut self, bytes: usize) {
        self.refused(bytes);
        self.expected = bytes.max(self.expected - self.expected / 8);
    }

    /// It was refused: that tells nothing of how long answers are.
    pub fn refused(&mut self, bytes: usize) {
        self.waiting -= 1;
        self.held += 1;
        self.held_bytes += bytes;
    }

    /// Its answer was given.
    pub fn given(&mut self, bytes: usize) {
        self.held -= 1;
        self.held_bytes -= bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ordain_types::limits::VALUE_BYTES_MAX;

    /// Takes in as many calls as there is room for.
    fn fill(room: &mut Room) -> usize {
        let mut calls = 0;
        while room.is_there() {
            room.asked();
            calls += 1;
        }
        calls
    }

    fn answer(room: &mut Room, calls: usize, bytes: usize) {
        (0..calls).for_each(|_| room.answered(bytes));
    }

    #[test]
    fn short_answers_have_room_for_all_calls() {
        let mut room = Room::new(4_096);
        let first = fill(&mut room);
        answer(&mut room, first, 20);
        assert_eq!(first + fill(&mut room), 4_096);
        room.given(20);
        assert_eq!(fill(&mut room), 1);
    }

    #[test]
    fn long_answers_are_few_from_the_first_and_fewer_when_they_are_known() {
        let mut room = Room::new(4_096);
        let first = fill(&mut room);
        assert!(first * VALUE_BYTES_MAX <= 5 * ANSWER_BYTES_MAX, "{first}");
        answer(&mut room, first, VALUE_BYTES_MAX);
        assert_eq!(fill(&mut room), 0, "those there are must be given first");
        (0..first).for_each(|_| room.given(VALUE_BYTES_MAX));
        let next = fill(&mut room);
        assert!(
            next * VALUE_BYTES_MAX <= ANSWER_BYTES_MAX + VALUE_BYTES_MAX,
            "{next}"
        );
        assert!(next > 0);
    }

    #[test]
    fn one_call_always_has_room_where_nothing_is_on_its_way() {
        let mut room = Room::new(1);
        for _ in 0..10 {
            assert_eq!(fill(&mut room), 1);
            answer(&mut room, 1, 20 * ANSWER_BYTES_MAX);
            room.given(20 * ANSWER_BYTES_MAX);
        }
    }
}
