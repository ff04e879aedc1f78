//! The one source of chance of a simulated world: a stream that the seed determines, and the tape of
//! what was drawn from it, which can be played again, whole or changed.

/// SplitMix64 (Steele, Lea, Flood 2014), or a tape.
///
/// What is drawn is recorded as small as it was asked for, so that a smaller number on the tape is a
/// simpler world. A tape that has run out gives zeros: every world must come to its end on them.
#[derive(Debug, Clone)]
pub struct Chance {
    source: Source,
    drawn: Vec<u64>,
}

#[derive(Debug, Clone)]
enum Source {
    Seed(u64),
    Tape { numbers: Vec<u64>, at: usize },
}

impl Chance {
    /// The stream of a seed.
    pub fn new(seed: u64) -> Self {
        Self {
            source: Source::Seed(seed),
            drawn: Vec::new(),
        }
    }

    /// What a tape says.
    pub fn of_tape(numbers: Vec<u64>) -> Self {
        Self {
            source: Source::Tape { numbers, at: 0 },
            drawn: Vec::new(),
        }
    }

    /// Everything drawn so far.
    pub fn into_tape(self) -> Vec<u64> {
        self.drawn
    }

    /// Draws: of a seed's number, what `seeded` makes of it; of a tape's, what `taped` does.
    fn draw(&mut self, seeded: impl Fn(u64) -> u64, taped: impl Fn(u64) -> u64) -> u64 {
        let drawn = match &mut self.source {
            Source::Seed(state) => seeded(split_mix(state)),
            Source::Tape { numbers, at } => {
                *at += 1;
                taped(numbers.get(*at - 1).copied().unwrap_or(0))
            }
        };
        self.drawn.push(drawn);
        drawn
    }

    /// The next number, uniform over all 64 bits.
    pub fn number(&mut self) -> u64 {
        self.draw(|n| n, |n| n)
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.draw(|n| n % end, |n| n % end)
    }

    /// True once in `times`, on average; never on an empty tape.
    pub fn one_in(&mut self, times: u64) -> bool {
        self.draw(|n| u64::from(n % times == 0), |n| n.min(1)) == 1
    }

    /// Each of the numbers below `rare` once in `times`, on average; none most of the time.
    pub fn rarely(&mut self, rare: u64, times: u64) -> Option<u64> {
        let seeded = |n| match n % times {
            n if n < rare => n + 1,
            _ => 0,
        };
        self.draw(seeded, |n| n % (rare + 1)).checked_sub(1)
    }

    /// One of several.
    pub fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize].clone()
    }

    /// An index into `weights`, each as likely as its weight.
    pub fn weighted(&mut self, weights: &[u64]) -> usize {
        let index = |n: u64| {
            let mut left = n % weights.iter().sum::<u64>();
            let passed = weights.iter().take_while(|weight| {
                let passes = left >= **weight;
                left -= if passes { **weight } else { 0 };
                passes
            });
            passed.count() as u64
        };
        // On a tape the index itself, unless it may not be.
        let taped = |n: u64| {
            let n = n % weights.len() as u64;
            let first = weights.iter().position(|weight| *weight > 0).unwrap_or(0);
            if weights[n as usize] > 0 {
                n
            } else {
                first as u64
            }
        };
        self.draw(index, taped) as usize
    }
}

fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
