//! Whether what each file takes from another by name is there: the interpreter says that it is not, and not where.

use std::collections::BTreeSet;

use ordain_types::SourceError;

use super::sources::{SDK, SDK_TEST, Sources, error};
use super::syntax::Links;

/// What "ordain" gives.
const SDK_NAMES: [&str; 4] = ["entity", "query", "reject", "Rejection"];
/// What "ordain/test" gives beside it.
const SDK_TEST_NAMES: [&str; 3] = ["test", "assert", "assertEquals"];

/// Checks the links between all files.
///
/// # Errors
/// The first name that is taken and not there.
pub fn check(sources: &Sources) -> Result<(), SourceError> {
    for (path, script) in &sources.files {
        for taken in &script.links.takes {
            let (name, from) = (&taken.name, &taken.from);
            let missing = match from.as_str() {
                SDK if SDK_NAMES.contains(&name.as_str()) => continue,
                SDK_TEST
                    if [&SDK_NAMES[..], &SDK_TEST_NAMES]
                        .concat()
                        .contains(&name.as_str()) =>
                {
                    continue;
                }
                SDK | SDK_TEST => Vec::new(),
                from => {
                    let names = names(sources, path, from);
                    if names.contains(name) {
                        continue;
                    }
                    names.into_iter().collect()
                }
            };
            let names = match from.as_str() {
                SDK => told(&SDK_NAMES),
                SDK_TEST => told(&SDK_TEST_NAMES),
                _ => told(&missing),
            };
            let message = format!(
                "\"{from}\" exports no `{name}` that is there at run time, only {names}; what is a type is taken \
                 with `import type` and passed on with `export type`"
            );
            return Err(error(path, taken.at, message));
        }
    }
    Ok(())
}

/// The names that a module gives to one that imports it.
fn names(sources: &Sources, importer: &str, import: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut seen = BTreeSet::new();
    let mut waiting = vec![(importer, import, true)];
    while let Some((importer, import, itself)) = waiting.pop() {
        if import == SDK || import == SDK_TEST {
            names.extend(SDK_NAMES.map(str::to_owned));
            continue;
        }
        let found = sources
            .resolved
            .get(&(importer.to_owned(), import.to_owned()));
        let Some((path, script)) = sources.files.iter().find(|(path, _)| Some(path) == found)
        else {
            continue;
        };
        if !seen.insert(path) {
            continue;
        }
        let Links {
            gives, passes_on, ..
        } = &script.links;
        // A default is not passed on.
        let given = gives.keys().filter(|name| itself || *name != "default");
        names.extend(given.cloned());
        waiting.extend(
            passes_on
                .iter()
                .map(|from| (path.as_str(), from.as_str(), false)),
        );
    }
    names
}

fn told(names: &[impl AsRef<str>]) -> String {
    let names: Vec<_> = names
        .iter()
        .map(|it| format!("`{}`", it.as_ref()))
        .collect();
    match names.is_empty() {
        true => "types or nothing".to_owned(),
        false => names.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_those_of_the_library() {
        let given = |text: &str| -> BTreeSet<String> {
            let names = text.lines().filter_map(|line| {
                let rest = line.strip_prefix("export ")?;
                let mut words = rest.split([' ', '(', ';']).filter(|it| !it.is_empty());
                words.nth(1).map(str::to_owned)
            });
            names
                .filter(|name| !name.starts_with("__ordain_"))
                .collect()
        };
        let shared = include_str!("shared.js");
        let names = |names: &[&str]| names.iter().map(|it| (*it).to_owned()).collect();
        let prelude = [shared, include_str!("prelude.js")].concat();
        assert_eq!(given(&prelude), names(&SDK_NAMES));
        let testing = [shared, include_str!("testing.js")].concat();
        let all = [&SDK_NAMES[..], &SDK_TEST_NAMES].concat();
        assert_eq!(given(&testing), names(&all));
    }
}
