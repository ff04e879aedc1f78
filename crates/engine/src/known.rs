//! Stretches of ordered keys, and of which one memory holds everything. It knows keys and order; what
//! lies under the keys it does not.

use std::ops::Bound;

/// A place between two keys, or before or after all of them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cut {
    /// Before every key.
    Start,
    /// Right before this key, or (true) right after it.
    At(Box<[u8]>, bool),
    /// After every key.
    End,
}

/// The keys between two places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stretch {
    pub from: Cut,
    pub to: Cut,
}

impl Cut {
    pub fn before(key: &[u8]) -> Self {
        Self::At(key.into(), false)
    }

    pub fn after(key: &[u8]) -> Self {
        Self::At(key.into(), true)
    }

    /// The bound of keys after this place.
    pub fn lower(&self) -> Bound<&[u8]> {
        match self {
            Self::At(key, false) => Bound::Included(key),
            Self::At(key, true) => Bound::Excluded(key),
            _ => Bound::Unbounded,
        }
    }

    /// The bound of keys before this place.
    pub fn upper(&self) -> Bound<&[u8]> {
        match self {
            Self::At(key, false) => Bound::Excluded(key),
            Self::At(key, true) => Bound::Included(key),
            _ => Bound::Unbounded,
        }
    }
}

impl Stretch {
    pub const ALL: Self = Self {
        from: Cut::Start,
        to: Cut::End,
    };

    pub const NONE: Self = Self {
        from: Cut::Start,
        to: Cut::Start,
    };

    pub fn is_empty(&self) -> bool {
        self.from >= self.to
    }

    pub fn contains(&self, key: &[u8]) -> bool {
        let after_from = match &self.from {
            Cut::Start => true,
            Cut::At(from, after) => *key > **from || *key == **from && !after,
            Cut::End => false,
        };
        after_from
            && match &self.to {
                Cut::Start => false,
                Cut::At(to, after) => *key < **to || *key == **to && *after,
                Cut::End => true,
            }
    }

    /// Bounds for a map, which panics on those that cross: not of an empty stretch.
    pub fn bounds(&self) -> (Bound<&[u8]>, Bound<&[u8]>) {
        debug_assert!(!self.is_empty(), "an empty stretch has no bounds");
        (self.from.lower(), self.to.upper())
    }

    /// Takes off the part that begins `left` (or, in reverse, ends it), as far as `self` has it.
    pub fn take_near(&self, left: &mut Stretch, reverse: bool) -> Option<Stretch> {
        let (from, to) = match reverse {
            false if self.from <= left.from && left.from < self.to => {
                let to = (&self.to).min(&left.to).clone();
                (std::mem::replace(&mut left.from, to.clone()), to)
            }
            true if self.from < left.to && left.to <= self.to => {
                let from = (&self.from).max(&left.from).clone();
                (from.clone(), std::mem::replace(&mut left.to, from))
            }
            _ => return None,
        };
        Some(Stretch { from, to })
    }

    /// What of `left`, taken from its beginning (or, in reverse, its end), comes before `self`.
    pub fn up_to(&self, left: &Stretch, reverse: bool) -> Stretch {
        let mut part = left.clone();
        if !reverse && left.from < self.from && self.from < left.to {
            part.to = self.from.clone();
        }
        if reverse && self.to < left.to && left.from < self.to {
            part.from = self.to.clone();
        }
        part
    }

    /// Both as one if nothing lies between them; else the other one alone.
    pub fn join(&mut self, other: Stretch) {
        let touch = other.from <= self.to && self.from <= other.to;
        if self.is_empty() || !touch {
            *self = other;
            return;
        }
        if other.from < self.from {
            self.from = other.from;
        }
        if other.to > self.to {
            self.to = other.to;
        }
    }

    /// Gives up the keys up to this one, itself included.
    pub fn leave(&mut self, key: &[u8]) {
        let after = Cut::after(key);
        if after >= self.to {
            *self = Self::NONE;
        } else if after > self.from {
            self.from = after;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stretch(from: &str, to: &str) -> Stretch {
        Stretch {
            from: Cut::before(from.as_bytes()),
            to: Cut::before(to.as_bytes()),
        }
    }

    #[test]
    fn a_stretch_has_its_ends_as_they_say() {
        let half = stretch("b", "d");
        let seen: Vec<_> = ["a", "b", "c", "d"]
            .map(|k| half.contains(k.as_bytes()))
            .into();
        assert_eq!(seen, [false, true, true, false]);
        let other = Stretch {
            from: Cut::after(b"b"),
            to: Cut::after(b"d"),
        };
        let seen: Vec<_> = ["b", "c", "d", "e"]
            .map(|k| other.contains(k.as_bytes()))
            .into();
        assert_eq!(seen, [false, true, true, false]);
        assert!(Stretch::ALL.contains(b"") && !Stretch::NONE.contains(b""));
    }

    #[test]
    fn the_near_part_is_taken_from_either_end() {
        let known = stretch("c", "f");
        let mut left = stretch("d", "z");
        assert_eq!(known.take_near(&mut left, false), Some(stretch("d", "f")));
        assert_eq!(left, stretch("f", "z"));
        assert_eq!(known.take_near(&mut left, false), None);
        let mut left = stretch("a", "f");
        assert_eq!(known.take_near(&mut left, true), Some(stretch("c", "f")));
        assert_eq!(left, stretch("a", "c"));
        assert_eq!(known.take_near(&mut left, true), None);
        assert_eq!(known.up_to(&stretch("a", "z"), false), stretch("a", "c"));
        assert_eq!(known.up_to(&stretch("a", "z"), true), stretch("f", "z"));
        assert_eq!(known.up_to(&stretch("g", "z"), false), stretch("g", "z"));
    }

    #[test]
    fn only_neighbours_join_and_what_is_left_is_above() {
        let mut known = stretch("c", "f");
        known.join(stretch("f", "h"));
        assert_eq!(known, stretch("c", "h"));
        known.join(stretch("a", "d"));
        assert_eq!(known, stretch("a", "h"));
        known.join(stretch("x", "z"));
        assert_eq!(known, stretch("x", "z"));
        known.leave(b"a");
        assert_eq!(known, stretch("x", "z"));
        known.leave(b"y");
        assert!(!known.contains(b"y") && known.contains(b"yy"));
        known.leave(b"zz");
        assert_eq!(known, Stretch::NONE);
    }
}
