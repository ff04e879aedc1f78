//! Which of n things: chosen uniformly, by Zipf's law, or with a few that are hot. Seeded: the same
//! seed chooses the same on every machine.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use rand::RngExt;
use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;
use rand_distr::Distribution;
use rand_distr::weighted::WeightedAliasIndex;

/// What chooses: fast, and the same algorithm in every version and on every machine.
pub type Chance = Xoshiro256PlusPlus;

/// The chance of one of many choosers of a run: independent of the others, and of how many there are.
pub fn chance(seed: u64, slot: usize) -> Chance {
    // The golden ratio keeps neighbours apart; the generator mixes its seed itself.
    Chance::seed_from_u64(seed ^ (slot as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// How choices are spread.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Spread {
    /// All alike.
    Uniform,
    /// The k-th with a weight of 1/k^s.
    Zipf(f64),
    /// One in a hundred of them takes three of four choices.
    Hotspot,
}

/// The largest exponent that is taken.
const EXPONENT_MAX: f64 = 1.5;

impl FromStr for Spread {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let exponent = match (text, text.strip_prefix("zipf:")) {
            ("uniform", _) => return Ok(Spread::Uniform),
            ("hotspot", _) => return Ok(Spread::Hotspot),
            (_, exponent) => exponent.and_then(|exponent| exponent.parse().ok()),
        };
        match exponent {
            Some(s) if (0.0..=EXPONENT_MAX).contains(&s) => Ok(Spread::Zipf(s)),
            _ => Err(format!(
                "expected uniform, hotspot, or zipf:S with S from 0 to {EXPONENT_MAX}"
            )),
        }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Spread::Uniform => f.write_str("uniform"),
            Spread::Zipf(s) => write!(f, "zipf:{s}"),
            Spread::Hotspot => f.write_str("hotspot"),
        }
    }
}

/// Chooses one of `n`, from 0. The lowest are chosen most.
#[derive(Debug, Clone)]
pub struct Chooser {
    n: usize,
    spread: Spread,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    Uniform,
    /// By a table, which clones share: a choice costs as little as a uniform one.
    Zipf(Arc<WeightedAliasIndex<f64>>),
    Hotspot {
        hot: usize,
    },
}

impl Chooser {
    /// # Panics
    /// If there is nothing to choose from.
    pub fn new(n: usize, spread: Spread) -> Self {
        assert!(n > 0, "there is nothing to choose from");
        let kind = match spread {
            Spread::Uniform => Kind::Uniform,
            Spread::Zipf(s) => {
                let weights = (1..=n).map(|k| (k as f64).powf(-s)).collect();
                let table =
                    WeightedAliasIndex::new(weights).expect("weights of 0 to 1, the first 1");
                Kind::Zipf(Arc::new(table))
            }
            Spread::Hotspot => Kind::Hotspot {
                hot: n.div_ceil(100),
            },
        };
        Self { n, spread, kind }
    }

    /// How its choices are spread.
    pub fn spread(&self) -> Spread {
        self.spread
    }

    /// One of them.
    pub fn choose(&self, chance: &mut Chance) -> usize {
        match &self.kind {
            Kind::Uniform => chance.random_range(0..self.n),
            Kind::Zipf(table) => table.sample(chance),
            &Kind::Hotspot { hot } if hot == self.n || chance.random_range(0..4) < 3 => {
                chance.random_range(0..hot)
            }
            &Kind::Hotspot { hot } => chance.random_range(hot..self.n),
        }
    }

    /// `count` different ones, none of them among `not`. Where the spread gives too few different
    /// ones soon, the next free neighbour is taken.
    ///
    /// # Panics
    /// If there are not as many.
    pub fn choose_distinct(&self, chance: &mut Chance, count: usize, not: &[usize]) -> Vec<usize> {
        assert!(
            count + not.len() <= self.n,
            "{count} different ones of {}",
            self.n
        );
        let mut chosen: Vec<usize> = Vec::with_capacity(count);
        while chosen.len() < count {
            let mut one = self.choose(chance);
            while chosen.contains(&one) || not.contains(&one) {
                one = (one + 1) % self.n;
            }
            chosen.push(one);
        }
        chosen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAWS: usize = 200_000;

    fn counts(n: usize, spread: Spread) -> Vec<usize> {
        let (chooser, mut chance) = (Chooser::new(n, spread), chance(7, 0));
        let mut counts = vec![0; n];
        for _ in 0..DRAWS {
            counts[chooser.choose(&mut chance)] += 1;
        }
        counts
    }

    /// Each count within five standard deviations of what the weights say.
    fn check(n: usize, spread: Spread, weight: impl Fn(usize) -> f64) {
        let total: f64 = (0..n).map(&weight).sum();
        for (at, &count) in counts(n, spread).iter().enumerate() {
            let p = weight(at) / total;
            let (mean, deviation) = (p * DRAWS as f64, (p * (1.0 - p) * DRAWS as f64).sqrt());
            let off = (count as f64 - mean).abs();
            assert!(
                off <= 5.0 * deviation + 1.0,
                "{spread} {at}: {count}, not about {mean}"
            );
        }
    }

    #[test]
    fn choices_are_spread_as_they_say() {
        check(50, Spread::Uniform, |_| 1.0);
        for s in [0.0, 0.5, 0.99, 1.0, 1.2, 1.5] {
            check(50, Spread::Zipf(s), |at| 1.0 / ((at + 1) as f64).powf(s));
        }
        check(200, Spread::Hotspot, |at| {
            if at < 2 { 0.75 / 2.0 } else { 0.25 / 198.0 }
        });
    }

    #[test]
    fn one_is_enough_to_choose_from() {
        for spread in [Spread::Uniform, Spread::Zipf(1.5), Spread::Hotspot] {
            assert_eq!(counts(1, spread), [DRAWS]);
        }
    }

    #[test]
    fn distinct_choices_are() {
        let (chooser, mut chance) = (Chooser::new(5, Spread::Zipf(1.5)), chance(1, 0));
        for _ in 0..1_000 {
            let mut chosen = chooser.choose_distinct(&mut chance, 4, &[2]);
            chosen.sort_unstable();
            assert_eq!(chosen, [0, 1, 3, 4]);
        }
    }

    #[test]
    fn the_same_seed_chooses_the_same_and_slots_differ() {
        let draw = |seed, slot| {
            let (chooser, mut chance) =
                (Chooser::new(1_000, Spread::Zipf(0.9)), chance(seed, slot));
            (0..20)
                .map(|_| chooser.choose(&mut chance))
                .collect::<Vec<_>>()
        };
        assert_eq!(draw(1, 3), draw(1, 3));
        assert_ne!(draw(1, 3), draw(1, 4));
        assert_ne!(draw(1, 3), draw(2, 3));
    }

    #[test]
    fn spreads_are_read_as_they_are_written() {
        for text in ["uniform", "zipf:0.99", "zipf:1.5", "hotspot"] {
            assert_eq!(text.parse::<Spread>().unwrap().to_string(), text);
        }
        for text in ["", "zipf", "zipf:", "zipf:2", "zipf:-1", "zipf:nan", "hot"] {
            assert!(text.parse::<Spread>().is_err(), "{text}");
        }
    }
}
