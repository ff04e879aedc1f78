//! What replies said of transactions that leave one thing each: as many must be there.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::answer::Answer;

/// Counts of replies.
#[derive(Debug, Default)]
pub struct Told {
    counted: AtomicU64,
    unanswered: AtomicU64,
}

impl Told {
    /// A transaction ended.
    pub fn ended(&self, answer: &Answer) {
        match answer {
            Answer::Value(_) => self.counted.fetch_add(1, Ordering::Relaxed),
            Answer::None(_) => self.unanswered.fetch_add(1, Ordering::Relaxed),
            Answer::Rejected(_) | Answer::Fault(_) => 0,
        };
    }

    /// How many were acknowledged with a value.
    pub fn counted(&self) -> u64 {
        self.counted.load(Ordering::Relaxed)
    }

    /// What is wrong if there are so many `things`.
    pub fn violation(&self, things: &str, total: u64) -> Option<String> {
        let counted = self.counted();
        let unanswered = self.unanswered.load(Ordering::Relaxed);
        // What was not answered may have happened.
        let held = (counted..=counted + unanswered).contains(&total);
        let said = format!(
            "there are {total} {things}; acknowledged were {counted}, {unanswered} not answered"
        );
        (!held).then_some(said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lost_or_happens_twice_is_seen() {
        let told = Told::default();
        (0..5).for_each(|_| told.ended(&Answer::Value("1".into())));
        told.ended(&Answer::Rejected("no".into()));
        told.ended(&Answer::Fault("boom".into()));
        assert_eq!(told.violation("notes", 5), None);
        assert!(told.violation("notes", 4).is_some() && told.violation("notes", 6).is_some());
        told.ended(&Answer::None("lost".into()));
        assert_eq!(told.violation("notes", 6), None);
        assert!(told.violation("notes", 4).is_some() && told.violation("notes", 7).is_some());
    }
}
