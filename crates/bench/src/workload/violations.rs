//! What an audit found wrong: by kind, and not more of it than can be read.

use std::collections::BTreeMap;

/// Violations of one kind that are listed one by one.
const LISTED_MAX: usize = 20;

/// All that is wrong.
#[derive(Debug, Default)]
pub struct Violations(BTreeMap<&'static str, Vec<String>>);

impl Violations {
    /// Unless it holds: `what` is violated, `which` says where.
    pub fn unless(&mut self, holds: bool, what: &'static str, which: impl FnOnce() -> String) {
        if !holds {
            self.0.entry(what).or_default().push(which());
        }
    }

    /// A line for each, up to so many of a kind.
    pub fn into_lines(self) -> Vec<String> {
        let mut lines = Vec::new();
        for (what, which) in self.0 {
            lines.extend(
                which
                    .iter()
                    .take(LISTED_MAX)
                    .map(|which| format!("{what}: {which}")),
            );
            if let Some(more @ 1..) = which.len().checked_sub(LISTED_MAX) {
                lines.push(format!("{what}: and {more} more"));
            }
        }
        lines
    }

    /// What is violated.
    #[cfg(test)]
    pub fn kinds(&self) -> impl Iterator<Item = &'static str> {
        self.0.keys().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn not_more_is_listed_than_can_be_read() {
        let mut violations = Violations::default();
        violations.unless(true, "fine", || unreachable!("it holds"));
        (0..LISTED_MAX + 5).for_each(|n| violations.unless(false, "bad", || n.to_string()));
        let lines = violations.into_lines();
        assert_eq!(lines.len(), LISTED_MAX + 1);
        assert_eq!(lines[LISTED_MAX], "bad: and 5 more");
    }
}
