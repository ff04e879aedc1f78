//! The committed figures, for what compiler and machine they are, and how counts compare with them.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::Context;
use serde::{Deserialize, Serialize};

/// The head of the file.
const HEAD: &str = "\
# Instructions for one operation of each hot path, as `ordain bench guard` counts them.
#
# They depend on the compiler, the target, the profile and what the processor can do: elsewhere they are not
# compared. Whoever changes what a path does, or the compiler, renews them and says why:
#     cargo run --release -- bench guard --write

";

/// Instructions of paths, and where they were counted.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figures {
    /// The compiler.
    pub rustc: String,
    /// The architecture and the system.
    pub target: String,
    /// Whether it was optimised.
    pub profile: String,
    /// What the processor can do of what libraries choose by.
    pub features: Vec<String>,
    /// For one operation of each path.
    pub instructions: BTreeMap<String, f64>,
}

/// One path against its figure.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// Which path.
    pub path: String,
    /// What is committed; none: the path is new.
    pub committed: Option<f64>,
    /// What was counted.
    pub counted: f64,
    /// How much more, in hundredths.
    pub percent: Option<f64>,
    /// Whether that is more than may be.
    pub too_much: bool,
}

impl Figures {
    /// None yet, of this program on this machine.
    pub fn here() -> Self {
        let profile = match cfg!(debug_assertions) {
            true => "debug",
            false => "release",
        };
        Self {
            rustc: env!("ORDAIN_RUSTC").to_owned(),
            target: format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS),
            profile: profile.to_owned(),
            features: features(),
            instructions: BTreeMap::new(),
        }
    }

    /// Those of a file; none if there is no file.
    ///
    /// # Errors
    /// If it cannot be read, or is something else.
    pub fn read(path: &Path) -> anyhow::Result<Option<Self>> {
        let failed = || format!("cannot read {}", path.display());
        match std::fs::read_to_string(path) {
            Ok(text) => Ok(Some(toml::from_str(&text).with_context(failed)?)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(failed),
        }
    }

    /// Writes them.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        let text = self.text();
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    fn text(&self) -> String {
        let mut text = HEAD.to_owned();
        let Self {
            rustc,
            target,
            profile,
            features,
            ..
        } = self;
        let _ = writeln!(
            text,
            "rustc = {rustc:?}\ntarget = {target:?}\nprofile = {profile:?}"
        );
        let _ = writeln!(text, "features = {features:?}\n\n[instructions]");
        for (path, count) in &self.instructions {
            let _ = writeln!(text, "{path} = {count:.1}");
        }
        text
    }

    /// Why counts of another place cannot be held against these.
    pub fn why_not(&self, other: &Figures) -> Option<String> {
        let differs = |what, committed: &str, here: &str| {
            let said =
                format!("the figures are of another {what}: {committed}, and this is {here}");
            (committed != here).then_some(said)
        };
        differs("compiler", &self.rustc, &other.rustc)
            .or_else(|| differs("target", &self.target, &other.target))
            .or_else(|| differs("profile", &self.profile, &other.profile))
            .or_else(|| {
                differs(
                    "processor",
                    &self.features.join(" "),
                    &other.features.join(" "),
                )
            })
    }

    /// The first path with a figure that is not among those that are counted.
    pub fn without<'a>(&self, counted: impl Iterator<Item = &'a str>) -> Option<&str> {
        let counted: Vec<_> = counted.collect();
        let mut paths = self.instructions.keys().map(String::as_str);
        paths.find(|path| !counted.contains(path))
    }

    /// Each count against its figure.
    pub fn against(&self, counted: &BTreeMap<String, f64>, tolerance: f64) -> Vec<Difference> {
        let difference = |(path, &counted): (&String, &f64)| {
            let committed = self.instructions.get(path).copied();
            let percent = committed.map(|committed| (counted / committed - 1.0) * 100.0);
            Difference {
                path: path.clone(),
                committed,
                counted,
                percent,
                too_much: percent.is_some_and(|percent| percent > tolerance),
            }
        };
        counted.iter().map(difference).collect()
    }
}

/// What libraries look for when the program runs, and take another way by.
fn features() -> Vec<String> {
    #[cfg(target_arch = "x86_64")]
    let found = [
        ("avx2", is_x86_feature_detected!("avx2")),
        ("sse4.2", is_x86_feature_detected!("sse4.2")),
    ];
    #[cfg(not(target_arch = "x86_64"))]
    let found: [(&str, bool); 0] = [];
    let found = found.iter().filter(|(_, found)| *found);
    found.map(|(name, _)| (*name).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(counts: &[(&str, f64)]) -> Figures {
        let counts = counts
            .iter()
            .map(|(path, count)| ((*path).to_owned(), *count));
        Figures {
            instructions: counts.collect(),
            ..Figures::here()
        }
    }

    #[test]
    fn what_takes_more_than_it_may_is_seen() {
        let committed = figures(&[("a", 1_000.0), ("b", 1_000.0), ("c", 1_000.0)]);
        let counted = figures(&[("a", 1_029.0), ("b", 1_031.0), ("c", 500.0), ("d", 9.0)]);
        let differences = committed.against(&counted.instructions, 3.0);
        let too_much: Vec<_> = differences
            .iter()
            .map(|difference| difference.too_much)
            .collect();
        assert_eq!(too_much, [false, true, false, false]);
        assert_eq!(differences[3].percent, None, "it is new");
    }

    #[test]
    fn a_path_that_is_counted_no_more_is_seen() {
        let committed = figures(&[("a", 1.0), ("b", 1.0)]);
        assert_eq!(committed.without(["b", "a", "c"].into_iter()), None);
        assert_eq!(committed.without(["a"].into_iter()), Some("b"));
    }

    #[test]
    fn figures_of_another_compiler_are_not_compared() {
        let here = figures(&[]);
        assert_eq!(here.why_not(&here), None);
        let other = Figures {
            rustc: "rustc 1.0.0".to_owned(),
            ..here.clone()
        };
        assert!(
            other
                .why_not(&here)
                .is_some_and(|why| why.contains("compiler: rustc 1.0.0"))
        );
        let other = Figures {
            features: vec!["avx9".to_owned()],
            ..here.clone()
        };
        assert!(
            other
                .why_not(&here)
                .is_some_and(|why| why.contains("processor"))
        );
    }

    #[test]
    fn what_is_written_is_read() {
        let figures = figures(&[("a", 12.5), ("b-c", 3.0)]);
        assert_eq!(
            toml::from_str::<Figures>(&figures.text()).expect("figures"),
            figures
        );
    }
}
