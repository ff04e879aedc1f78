//! Which files hold tests, and which modules they are of.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::exit::Failure;

/// A file of tests, and the module they are of.
#[derive(Debug, PartialEq, Eq)]
pub struct Pair {
    pub script: PathBuf,
    pub module: PathBuf,
}

const ENDINGS: [&str; 2] = [".test.ts", ".test.js"];

/// The tests at these paths: of a file its own or those beside it, of a directory all below it.
///
/// # Errors
/// If there are none at one of them.
pub fn pairs<'p>(paths: impl Iterator<Item = &'p PathBuf>) -> Result<Vec<Pair>, Failure> {
    let mut scripts = BTreeSet::new();
    for path in paths {
        let found = fs::metadata(path).map_err(|error| Failure::file("read", path, &error))?;
        match found.is_dir() {
            true => scripts.extend(below(path)?),
            false => scripts.extend([beside(path)?]),
        }
    }
    scripts.into_iter().map(pair).collect()
}

/// The file's name without the ending of tests, if it holds tests.
fn stem(path: &Path) -> Option<&str> {
    let name = path.file_name()?.to_str()?;
    ENDINGS.iter().find_map(|ending| name.strip_suffix(ending))
}

/// The tests of a module's file, which it may be itself.
fn beside(path: &Path) -> Result<PathBuf, Failure> {
    if stem(path).is_some() {
        return Ok(path.to_owned());
    }
    let module = path.with_extension("");
    let name = module.file_name().unwrap_or_default().to_string_lossy();
    let tried = ENDINGS.map(|ending| module.with_file_name(format!("{name}{ending}")));
    let found = tried.iter().find(|path| path.is_file());
    found.cloned().ok_or_else(|| {
        Failure::usage(format!(
            "{} has no tests: write them into {}",
            path.display(),
            tried[0].display()
        ))
    })
}

/// The tests in a directory and those in it, but for what is hidden or of others.
fn below(dir: &Path) -> Result<BTreeSet<PathBuf>, Failure> {
    let (mut found, mut waiting) = (BTreeSet::new(), vec![dir.to_owned()]);
    while let Some(at) = waiting.pop() {
        let entries = fs::read_dir(&at).map_err(|error| Failure::file("read", &at, &error))?;
        for entry in entries {
            let entry = entry.map_err(|error| Failure::file("read", &at, &error))?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with('.') || ["node_modules", "target"].contains(&&*name) {
                continue;
            }
            // Without the dot that stands for where we are.
            let path = match at.as_os_str() == "." {
                true => PathBuf::from(&*name),
                false => at.join(&*name),
            };
            let kind = entry.file_type();
            match kind
                .map_err(|error| Failure::file("read", &path, &error))?
                .is_dir()
            {
                true => waiting.push(path),
                false if stem(&path).is_some() => drop(found.insert(path)),
                false => {}
            }
        }
    }
    match found.is_empty() {
        false => Ok(found),
        true => Err(Failure::usage(format!(
            "there are no tests below {}: those of bank.ts are in bank.test.ts",
            dir.display()
        ))),
    }
}

/// Tests are of the file beside them that has their name, or of the module that their directory is.
fn pair(script: PathBuf) -> Result<Pair, Failure> {
    let name = stem(&script).expect("only tests are found").to_owned();
    let endings = ["ts", "js", "wasm"];
    let mut tried = endings
        .map(|ending| script.with_file_name(format!("{name}.{ending}")))
        .into_iter();
    let parent = || match script.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    let module = tried.find(|path| path.is_file()).unwrap_or_else(parent);
    Ok(Pair { script, module })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_found_with_their_modules() {
        let home = tempfile::tempdir().unwrap();
        let root = home.path();
        for file in [
            "bank.ts",
            "bank.test.ts",
            "shop/index.ts",
            "shop/all.test.ts",
            "shop/.old/x.test.ts",
            "node_modules/x/x.test.js",
            "old.js",
            "old.test.js",
            "bare.ts",
            "none/a.ts",
        ] {
            let path = root.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let check = |paths: &[&str], expected: &[(&str, &str)]| {
            let paths: Vec<_> = paths.iter().map(|path| root.join(path)).collect();
            let of = |&(script, module): &(&str, &str)| Pair {
                script: root.join(script),
                module: root.join(module),
            };
            let expected: Vec<_> = expected.iter().map(of).collect();
            assert_eq!(pairs(paths.iter()).unwrap(), expected, "{paths:?}");
        };
        let (bank, old) = (("bank.test.ts", "bank.ts"), ("old.test.js", "old.js"));
        check(&["bank.ts"], &[bank]);
        check(&["bank.test.ts", "bank.ts"], &[bank]);
        check(&["shop"], &[("shop/all.test.ts", "shop")]);
        check(&[""], &[bank, old, ("shop/all.test.ts", "shop")]);
        for (path, says) in [
            ("bare.ts", "bare.test.ts"),
            ("none", "no tests below"),
            ("gone", "gone"),
        ] {
            let refused = pairs([root.join(path)].iter())
                .unwrap_err()
                .message
                .unwrap();
            assert!(refused.contains(says), "{refused}");
        }
    }
}
