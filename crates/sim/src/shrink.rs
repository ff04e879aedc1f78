//! Makes a tape that fails into a smaller one that fails alike: takes numbers out of it and makes them
//! smaller, for as long as it is told to go on. It knows nothing of what the numbers mean.

/// A tape that fails, and what it fails with.
#[derive(Debug, Clone)]
pub struct Shrunk<F> {
    /// What was drawn until it failed.
    pub tape: Vec<u64>,
    /// With what.
    pub failure: F,
    /// Tapes tried.
    pub tries: u64,
}

/// What a tape that fails drew, and with what it fails.
type Failed<F> = Option<(Vec<u64>, F)>;

struct Shrinking<'a, F> {
    best: Shrunk<F>,
    fails: &'a mut dyn FnMut(&[u64]) -> Failed<F>,
    go_on: &'a mut dyn FnMut(u64) -> bool,
}

/// Shrinks `tape`. `fails` plays a tape and gives, if it fails as the first one did, what it drew and
/// the failure. `go_on` is asked before every try, with the number of tries so far.
pub fn shrink<F>(
    tape: Vec<u64>,
    failure: F,
    fails: &mut dyn FnMut(&[u64]) -> Failed<F>,
    go_on: &mut dyn FnMut(u64) -> bool,
) -> Shrunk<F> {
    let best = Shrunk {
        tape,
        failure,
        tries: 0,
    };
    let mut shrinking = Shrinking { best, fails, go_on };
    while shrinking.pass() {}
    shrinking.best
}

impl<F> Shrinking<'_, F> {
    /// Tries everything once. False: nothing helped, or there is no more time.
    fn pass(&mut self) -> bool {
        let before = self.weight();
        let mut chunk = (self.best.tape.len() / 2).next_power_of_two();
        while chunk > 0 {
            self.each(chunk, |tape, at, end| drop(tape.drain(at..end)));
            chunk /= 2;
        }
        for chunk in [64, 8, 1] {
            self.each(chunk, |tape, at, end| tape[at..end].fill(0));
        }
        self.each(1, |tape, at, _| tape[at] /= 2);
        self.each(1, |tape, at, _| tape[at] = tape[at].saturating_sub(1));
        self.weight() < before
    }

    fn weight(&self) -> (usize, u128) {
        let tape = &self.best.tape;
        (tape.len(), tape.iter().map(|n| u128::from(*n)).sum())
    }

    /// Makes one change everywhere, from the end: what comes late depends on less.
    fn each(&mut self, chunk: usize, change: impl Fn(&mut Vec<u64>, usize, usize)) {
        let mut end = self.best.tape.len();
        while end > 0 {
            let at = end.saturating_sub(chunk);
            let mut tape = self.best.tape.clone();
            change(&mut tape, at, end);
            if tape != self.best.tape && !self.attempt(&tape) {
                return;
            }
            end = at.min(self.best.tape.len());
        }
    }

    /// False: there is no more time.
    fn attempt(&mut self, tape: &[u64]) -> bool {
        if !(self.go_on)(self.best.tries) {
            return false;
        }
        self.best.tries += 1;
        if let Some((mut drawn, failure)) = (self.fails)(tape) {
            while drawn.last() == Some(&0) {
                drawn.pop(); // what has run out is zeros anyway
            }
            let smaller = |a: &[u64], b: &[u64]| {
                let sum = |tape: &[u64]| tape.iter().map(|n| u128::from(*n)).sum::<u128>();
                (a.len(), sum(a)) < (b.len(), sum(b))
            };
            if smaller(&drawn, &self.best.tape) {
                (self.best.tape, self.best.failure) = (drawn, failure);
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_matter_goes() {
        // Fails if a 7 comes somewhere before something above 20.
        let mut fails = |tape: &[u64]| {
            let seven = tape.iter().position(|n| *n == 7)?;
            tape[seven..].iter().find(|n| **n > 20)?;
            Some((tape.to_vec(), ()))
        };
        let tape: Vec<u64> = (0..200).collect();
        let shrunk = shrink(tape.clone(), (), &mut fails, &mut |_| true);
        assert_eq!(shrunk.tape, [7, 21]);
        let tries = shrink(tape, (), &mut fails, &mut |tries| tries < 5).tries;
        assert_eq!(tries, 5, "it stops when told to");
    }
}
