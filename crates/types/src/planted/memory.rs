//! Memory that runs out where a test says: what asks [`Scarcity::next`] for each block can be refused each in turn.

/// What there is of the memory that a block is to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    /// Enough.
    There,
    /// Enough, and it passes the limit.
    Scarce,
    /// Not enough.
    Gone,
}

/// How soon there is no memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scarcity {
    /// Bytes of the smallest block that counts.
    pub bytes: usize,
    /// Bytes of blocks that do not count although they are no smaller: more than the first, up to the second.
    pub but: (usize, usize),
    /// Which of these it begins with, from 1 on.
    pub nth: usize,
    /// How many are scarce before they are gone.
    pub scarce: usize,
    /// How many are gone before they are there again.
    pub gone: usize,
}

impl Scarcity {
    /// None.
    pub const NONE: Self = Self {
        bytes: 0,
        but: (0, 0),
        nth: 0,
        scarce: 0,
        gone: 0,
    };
}

#[cfg(not(feature = "planted"))]
impl Scarcity {
    /// What a test says of the run that begins: nothing.
    #[inline(always)]
    pub const fn of_run() -> Self {
        Self::NONE
    }

    /// What there is for the next block.
    #[inline(always)]
    pub const fn next(&mut self, _: usize) -> Memory {
        Memory::There
    }
}

#[cfg(feature = "planted")]
pub use switch::make_scarce;

#[cfg(feature = "planted")]
mod switch {
    use std::cell::Cell;

    use super::{Memory, Scarcity};

    thread_local! {
        /// That of runs to come, and of how many.
        static NEXT: Cell<(Scarcity, usize)> = const { Cell::new((Scarcity::NONE, 0)) };
        /// Blocks that counted, from the first that was to be scarce.
        static MET: Cell<usize> = const { Cell::new(0) };
    }

    /// Runs with memory scarce in the next so many runs of this thread. Says how many blocks counted in them, from the
    /// one that it began with.
    pub fn make_scarce<R>(scarcity: Scarcity, runs: usize, run: impl FnOnce() -> R) -> (R, usize) {
        MET.set(0);
        NEXT.set((scarcity, runs));
        let result = run();
        NEXT.set((Scarcity::NONE, 0));
        (result, MET.get())
    }

    impl Scarcity {
        /// What a test says of the run that begins.
        pub fn of_run() -> Self {
            let (scarcity, runs) = NEXT.get();
            let Some(left) = runs.checked_sub(1) else {
                return Self::NONE;
            };
            NEXT.set((scarcity, left));
            scarcity
        }

        /// What there is for the next block.
        pub fn next(&mut self, bytes: usize) -> Memory {
            let (above, most) = self.but;
            if bytes < self.bytes || bytes > above && bytes <= most {
                return Memory::There;
            }
            self.nth = self.nth.saturating_sub(1);
            if self.nth > 0 {
                return Memory::There;
            }
            MET.set(MET.get() + 1);
            let (left, memory) = match (self.scarce, self.gone) {
                (0, 0) => return Memory::There,
                (0, _) => (&mut self.gone, Memory::Gone),
                _ => (&mut self.scarce, Memory::Scarce),
            };
            *left -= 1;
            memory
        }
    }
}
