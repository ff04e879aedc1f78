//! Names like an unknown one: what the answer to a typing mistake lists, whoever answers.

/// How many names an answer lists at most.
const LISTED_MAX: usize = 3;
/// Longer names are no typing mistakes, and comparing them would cost their square.
const NAME_BYTES_MAX: usize = 128;

/// The known names most like `name`, best first; empty if none is alike. Letters' case and
/// `-` for `_` count for nothing.
pub fn near<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> Vec<String> {
    if name.len() > NAME_BYTES_MAX {
        return Vec::new();
    }
    let folded = fold(name);
    let mut alike: Vec<(usize, &str)> = known
        .into_iter()
        .filter_map(|known| Some((distance(&folded, &fold(known))?, known)))
        .collect();
    alike.sort_unstable();
    let best = alike.into_iter().take(LISTED_MAX);
    best.map(|(_, known)| known.to_owned()).collect()
}

fn fold(name: &str) -> String {
    name.to_ascii_lowercase().replace('-', "_")
}

/// The number of edits between two names, if few for their length. A name that the other begins
/// with counts as one edit, from three letters on: `withdraw` for `with`.
fn distance(name: &str, known: &str) -> Option<usize> {
    let edits = strsim::osa_distance(name, known);
    let allowed = (name.len().max(known.len()) / 3).max(1);
    let begins = |long: &str, short: &str| short.len() >= 3 && long.starts_with(short);
    if begins(name, known) || begins(known, name) {
        return Some(edits.min(1));
    }
    (edits <= allowed).then_some(edits)
}

#[cfg(test)]
mod tests {
    use super::near;

    #[test]
    fn typing_mistakes_find_the_name_and_strangers_do_not() {
        let known = ["deposit", "withdraw", "balance"];
        for (typed, meant) in [
            ("depsoit", "deposit"),
            ("Deposit", "deposit"),
            ("withdrawal", "withdraw"),
            ("bal", "balance"),
            ("deposits", "deposit"),
        ] {
            assert_eq!(near(typed, known), [meant], "{typed}");
        }
        for stranger in ["", "x", "transfer", &"deposit".repeat(1_000)] {
            assert!(near(stranger, known).is_empty(), "{stranger}");
        }
    }

    #[test]
    fn the_best_come_first_and_few_are_listed() {
        let known = ["line_4", "line_3", "line_2", "line_1", "lines"];
        assert_eq!(near("line", known).len(), 3);
        assert_eq!(near("line_1", known)[0], "line_1");
    }
}
