//! What the files of a module export, and where it is bound.

use std::collections::BTreeSet;

use super::{Compiled, File};
use crate::javascript::fault::Thrown;
use crate::javascript::syntax::{Given, Links, Position};

const DEFAULT: &str = "default";

impl Compiled {
    /// Something wrong with what the entry file exports under a name.
    pub fn at_export(&self, name: &str, message: String) -> Thrown {
        self.at_given(0, name, message)
    }

    fn at_given(&self, file: usize, name: &str, message: String) -> Thrown {
        let begin = Position { line: 1, column: 1 };
        let (file, position) = self
            .given(file, name)
            .unwrap_or((&self.0.files[file], begin));
        file.at(position, message)
    }

    /// Where it is bound what a file gives under a name; if no file of the module binds it, where it is exported.
    fn given<'a>(&'a self, file: usize, name: &'a str) -> Option<(&'a File, Position)> {
        let mut exported = None;
        let mut seen = BTreeSet::new(); // files may pass on each other
        let mut waiting = vec![(file, name)];
        while let Some((at, name)) = waiting.pop() {
            if !seen.insert((at, name)) {
                continue;
            }
            let file = &self.0.files[at];
            let Links {
                gives, passes_on, ..
            } = &file.links;
            match gives.get(name) {
                Some(Given { at, from: None }) => return Some((file, *at)),
                Some(Given {
                    at,
                    from: Some((from, name)),
                }) => {
                    exported.get_or_insert((file, *at));
                    waiting.extend(self.named(file, from).map(|from| (from, name.as_str())));
                }
                None if name == DEFAULT => {} // it is not passed on
                None => {
                    let others = passes_on.iter().rev();
                    let others = others.filter_map(|from| self.named(file, from));
                    waiting.extend(others.map(|from| (from, name)));
                }
            }
        }
        exported
    }

    /// The file that another calls so.
    fn named(&self, file: &File, from: &str) -> Option<usize> {
        let path = self.resolve(&file.path, from);
        self.0.files.iter().position(|file| file.path == path)
    }
}
