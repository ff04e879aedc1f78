//! What the files of a module export: where it is bound, and which of it looks like an entity type and is none.

use std::collections::BTreeSet;

use rquickjs::{Object, Value};

use super::{Compiled, File};
use crate::javascript::fault::Thrown;
use crate::javascript::instance::Instance;
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

    /// What a module that has started makes of entities that are no entity types, because its entry file does not export
    /// them: nothing could be called by them.
    pub fn without_type(&self, instance: &Instance) -> Option<Thrown> {
        let found = instance.apart(|ctx| {
            let started: Object = instance.started.clone().restore(&ctx).ok()?;
            let class: Value = instance.library.entity.clone().restore(&ctx).ok()?;
            let is_without_type = |file, name: &str| -> rquickjs::Result<bool> {
                let namespace: Object = started.get(self.namespace(file))?;
                let value: Value = namespace.get(name)?;
                let Some(entity) = value.as_object().filter(|it| it.is_instance_of(&class)) else {
                    return Ok(false);
                };
                Ok(entity.get::<_, Value>("type")?.is_undefined())
            };
            let mut used = self.used().into_iter();
            used.find(|(file, name)| is_without_type(*file, name).unwrap_or(false))
        });
        let (file, name) = match found {
            Ok(found) => found?,
            Err(broken) => return Some(Thrown::broken(broken, "when its exports were read")),
        };
        let main = &self.0.files[0].path;
        let written = match name {
            DEFAULT => "default as account",
            name => name,
        };
        let message = format!(
            "`{name}` is no entity type: `{main}`, the file that is deployed, does not export it, and so nothing can be called \
             by it; write `export {{ {written} }} from \"…\"` there"
        );
        Some(self.at_given(file, name, message))
    }

    /// What the files of a module take from each other to use it, and what the entry file passes on with all names of
    /// another, as far as nothing of its own hides that: the file that gives it, and its name there.
    fn used(&self) -> Vec<(usize, &str)> {
        let mut found = Vec::new();
        for file in &self.0.files {
            let takes = file.links.takes.iter().filter(|it| !it.passed_on);
            let takes = takes.filter_map(|it| Some((self.named(file, &it.from)?, &*it.name)));
            found.extend(takes);
        }
        let (mut seen, mut waiting) = (BTreeSet::from([0]), vec![0]);
        while let Some(at) = waiting.pop() {
            let file = &self.0.files[at];
            let passes_on = file.links.passes_on.iter();
            for from in passes_on.filter_map(|from| self.named(file, from)) {
                if seen.insert(from) {
                    waiting.push(from);
                    let names = self.0.files[from].links.gives.keys();
                    let own = |file: usize, name| self.0.files[file].links.gives.contains_key(name);
                    let is_hidden = |name| name == DEFAULT || own(0, name) || own(at, name);
                    let names = names.filter(|name| !is_hidden(name.as_str()));
                    found.extend(names.map(|name| (from, name.as_str())));
                }
            }
        }
        found
    }
}
