//! A module's files: read from the entry file on, each import found among them, checked together.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::panic::resume_unwind;
use std::path::Path;

use ordain_types::{Source, SourceError, limits};
use oxc_allocator::Allocator;

use super::links;
use super::syntax::{self, Parsed, Position, Purpose, Script};

/// The name of what the host itself brings.
pub const SDK: &str = "ordain";
/// The name of what the host brings for tests.
pub const SDK_TEST: &str = "ordain/test";

/// The files that a module uses, the entry file first.
#[derive(Debug)]
pub struct Sources {
    pub files: Vec<(String, Script)>,
    /// What each import of each file stands for.
    pub resolved: Resolved,
    /// What is wrong and keeps nothing from running, but types from being known, and places: in a file of which only types
    /// are used, or with the line ends of one.
    pub untold: Option<SourceError>,
}

impl Sources {
    /// The place that the interpreter, which counts bytes of its own text, calls so.
    pub fn place(&self, path: &str, at: Position) -> Position {
        let found = self.files.iter().find(|(it, _)| it == path);
        found.map_or(at, |(_, script)| script.lines.in_characters(at))
    }

    /// Whether a path is that of one of the files.
    pub fn has(&self, path: &str) -> bool {
        self.files.iter().any(|(it, _)| it == path)
    }
}

/// The file that an import of another stands for, by the file and the import.
pub type Resolved = BTreeMap<(String, String), String>;

/// An error at a place.
pub fn error(file: &str, position: Position, message: impl Into<String>) -> SourceError {
    SourceError {
        file: Some(file.to_owned()),
        line: Some(position.line),
        column: Some(position.column),
        message: message.into(),
    }
}

/// Why sources did not become what can be run.
#[derive(Debug, Clone)]
pub enum NotCompiled {
    /// For what they are: so it is in every process.
    Source(SourceError),
    /// The machine gave not what it takes; another time it may.
    Machine(String),
}

impl From<SourceError> for NotCompiled {
    fn from(error: SourceError) -> Self {
        Self::Source(error)
    }
}

impl From<NotCompiled> for SourceError {
    fn from(not: NotCompiled) -> Self {
        match not {
            NotCompiled::Source(error) => error,
            NotCompiled::Machine(why) => Self::new(why),
        }
    }
}

/// Bytes of the stack on which texts are read: enough for the deepest nesting that a file has room for, a kibibyte for
/// each of its bytes. Only what is used of it is taken.
const STACK_BYTES: usize = limits::SCRIPT_BYTES_MAX << 10;

/// Runs what reads or compiles on a stack of its own: a caller's is not deep enough for what a text may hold, and what
/// becomes of a text must not depend on how much of it was left.
///
/// # Errors
/// Those of `run`, or that there is no thread for it.
#[expect(
    clippy::disallowed_methods,
    reason = "the caller waits for the thread, and nothing depends on when it runs"
)]
pub fn on_own_stack<R: Send>(
    run: impl FnOnce() -> Result<R, NotCompiled> + Send,
) -> Result<R, NotCompiled> {
    std::thread::scope(|scope| {
        let reader = std::thread::Builder::new()
            .name("ordain-reader".to_owned())
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, run)
            .map_err(|error| {
                NotCompiled::Machine(format!("no thread to read a module on: {error}"))
            })?;
        reader.join().unwrap_or_else(|panic| resume_unwind(panic))
    })
}

/// Reads and checks what a source uses, on a stack that is deep enough.
///
/// # Errors
/// The first thing that is wrong.
pub fn read(source: &Source, purpose: Purpose) -> Result<Sources, SourceError> {
    let texts = texts(source)?;
    let allocators: Vec<_> = texts.iter().map(|_| Allocator::default()).collect();
    let mut free = allocators.iter();
    let mut sources = Sources {
        files: Vec::new(),
        resolved: Resolved::new(),
        untold: None,
    };
    let mut parsed = Vec::new();
    let mut waiting = VecDeque::from([source.main.clone()]);
    let mut seen = BTreeSet::from([source.main.clone()]);
    while let Some(path) = waiting.pop_front() {
        let text = texts[path.as_str()];
        let wrong = |(position, message)| error(&path, position, message);
        let allocator = free.next().expect("no file is read twice");
        let file = syntax::parse(&path, text, allocator).map_err(wrong)?;
        let script = file.check(purpose).map_err(wrong)?;
        if let Some(found) = file.misleading_break() {
            sources.untold.get_or_insert_with(|| wrong(found));
        }
        let brought = |name: &str| name == SDK || name == SDK_TEST && purpose == Purpose::Test;
        for import in script
            .imports
            .iter()
            .filter(|import| !brought(&import.name))
        {
            let found = resolve(&path, &import.name, &texts)
                .map_err(|message| error(&path, script.lines.position(text, import.at), message))?;
            let key = (path.clone(), import.name.clone());
            sources.resolved.insert(key, found.clone());
            if seen.insert(found.clone()) {
                waiting.push_back(found);
            }
        }
        sources.files.push((path, script));
        parsed.push(file);
    }
    links::check(&sources)?;
    if purpose == Purpose::Module {
        sign(&mut sources, parsed, &texts, free);
    }
    Ok(sources)
}

/// Has the functions of all files say what they take, in terms of the types that the files declare and those of which
/// only types are used.
fn sign<'a>(
    sources: &mut Sources,
    mut parsed: Vec<Parsed<'a>>,
    texts: &BTreeMap<&str, &'a str>,
    mut free: impl Iterator<Item = &'a Allocator>,
) {
    let mut paths: Vec<String> = sources.files.iter().map(|it| it.0.clone()).collect();
    let mut seen: BTreeSet<String> = paths.iter().cloned().collect();
    let mut at = 0;
    while at < parsed.len() {
        for name in parsed[at].names() {
            let found = resolve(&paths[at], name, texts);
            let Some(found) = found.ok().filter(|it| seen.insert(it.clone())) else {
                continue;
            };
            let allocator = free.next().expect("no file is read twice");
            match syntax::parse(&found, texts[found.as_str()], allocator) {
                Ok(file) => {
                    parsed.push(file);
                    paths.push(found);
                }
                Err((position, message)) => {
                    let wrong = || error(&found, position, message);
                    sources.untold.get_or_insert_with(wrong);
                }
            }
        }
        at += 1;
    }
    let places: BTreeMap<&String, usize> = paths.iter().zip(0..).collect();
    let place = |at: usize, name: &str| {
        let found = resolve(&paths[at], name, texts).ok()?;
        places.get(&found).copied()
    };
    let scripts = sources.files.iter_mut().map(|(_, script)| script);
    syntax::sign(scripts, &parsed, place);
}

fn texts(source: &Source) -> Result<BTreeMap<&str, &str>, SourceError> {
    let mut texts = BTreeMap::new();
    for file in &source.files {
        let text = std::str::from_utf8(&file.bytes).map_err(|bad| SourceError {
            file: Some(file.path.clone()),
            message: format!(
                "byte {} is not UTF-8; save the file as UTF-8",
                bad.valid_up_to()
            ),
            ..SourceError::new("")
        })?;
        texts.insert(file.path.as_str(), text);
    }
    Ok(texts)
}

/// The file that `import` in the file `base` stands for.
fn resolve(base: &str, import: &str, files: &BTreeMap<&str, &str>) -> Result<String, String> {
    let relative = [".", ".."].contains(&import.split('/').next().unwrap_or_default());
    if !relative {
        return Err(format!(
            "`{import}` is not here: a module imports \"{SDK}\" and files of its own, as in \"./lib.ts\"; copy \
             what it needs into a file beside it"
        ));
    }
    let Some(path) = join(base, import) else {
        return Err(format!("`{import}` leads out of the module's directory"));
    };
    let as_typescript = path.strip_suffix(".js").map(|stem| format!("{stem}.ts"));
    let endings: &[&str] = match path.is_empty() {
        true => &["index.ts", "index.js"], // the module's own directory
        false => &["", ".ts", ".js", "/index.ts", "/index.js"],
    };
    let tried = endings
        .iter()
        .map(|ending| format!("{path}{ending}"))
        .chain(as_typescript);
    let found = tried
        .into_iter()
        .find(|path| files.contains_key(path.as_str()));
    found.ok_or_else(|| {
        let tried = match path.is_empty() {
            true => "there is no `index.ts`".to_owned(),
            // It may well be there, and is not taken.
            false if is_other(&path) => {
                format!("there is no `{path}.ts`, and files other than .ts and .js are not taken")
            }
            false => format!("there is no `{path}.ts` and no `{path}`"),
        };
        format!("`{import}` is none of the module's files; {tried}")
    })
}

/// Whether a path has an ending that no file of a module has.
fn is_other(path: &str) -> bool {
    let ending = Path::new(path).extension();
    ending.is_some_and(|ending| ending != "ts" && ending != "js")
}

fn join(base: &str, import: &str) -> Option<String> {
    let mut parts: Vec<&str> = base.split('/').collect();
    parts.pop();
    for part in import.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_are_found_among_the_files() {
        let paths = ["a.ts", "lib.ts", "deep/index.ts", "deep/b.js"];
        let files: BTreeMap<&str, &str> = paths.iter().map(|path| (*path, "")).collect();
        let check = |base: &str, import: &str, expected: Result<&str, &str>| match (
            resolve(base, import, &files),
            expected,
        ) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{base} {import}"),
            (Err(message), Err(says)) => assert!(message.contains(says), "{message}"),
            (found, expected) => panic!("{base} {import}: {found:?}, not {expected:?}"),
        };
        check("a.ts", "./lib", Ok("lib.ts"));
        check("a.ts", "./lib.ts", Ok("lib.ts"));
        check("a.ts", "./lib.js", Ok("lib.ts"));
        check("a.ts", "./deep", Ok("deep/index.ts"));
        check("deep/index.ts", "./b", Ok("deep/b.js"));
        check("deep/b.js", "../lib", Ok("lib.ts"));
        for root in ["..", "../", "../.", "./.."] {
            check("deep/b.js", root, Err("there is no `index.ts`"));
        }
        check("deep/b.js", ".", Ok("deep/index.ts"));
        check("deep/b.js", "./", Ok("deep/index.ts"));
        check("a.ts", "../lib", Err("leads out"));
        check("a.ts", "..", Err("leads out"));
        check("a.ts", "..lib", Err("`..lib` is not here"));
        check("a.ts", "./none", Err("there is no `none.ts`"));
        check("a.ts", "./none", Err("and no `none`"));
        let other = "no `data.json.ts`, and files other than .ts and .js are not taken";
        check("a.ts", "./data.json", Err(other));
        check("a.ts", "lodash", Err("`lodash` is not here"));
        check("a.ts", "node:fs", Err("`node:fs` is not here"));
        let files = BTreeMap::from([("index.ts", ""), ("deep/b.js", "")]);
        for (base, import) in [
            ("deep/b.js", ".."),
            ("deep/b.js", "../"),
            ("index.ts", "./"),
            ("index.ts", "."),
        ] {
            let found = resolve(base, import, &files);
            assert_eq!(found.as_deref(), Ok("index.ts"), "{base} {import}");
        }
    }
}
