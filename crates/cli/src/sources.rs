//! From a path to what is deployed: a component, a file with the files that it imports, or a
//! directory's files. Which imports there are is only guessed here, generously: the server's compiler
//! reads them, and says what is wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

use ordain_api::modules::ModuleFiles;
use ordain_client::ModuleSource;
use ordain_server::bounded;
use ordain_types::{ModuleName, limits};

use crate::exit::{Exit, Failure, way_out};

/// What a path holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gathered {
    /// The name that follows from the path, if one does.
    pub name: Option<ModuleName>,
    /// What is deployed.
    pub source: ModuleSource,
    /// Where the paths of its files begin; of a component, itself.
    pub root: PathBuf,
    /// The directory that places are shown from; empty to show them as `root` is.
    from: PathBuf,
}

/// Files to begin with, the first that is there.
const ENTRIES: [&str; 6] = [
    "index.ts", "main.ts", "mod.ts", "index.js", "main.js", "mod.js",
];

/// What some editors begin a file with. The compiler takes it before sources, and JSON holds none.
pub const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Reads what is at a path.
///
/// # Errors
/// What is missing, unreadable or too large, and what to do.
pub fn gather(path: &Path) -> Result<Gathered, Failure> {
    let found = fs::metadata(path).map_err(|error| Failure::file("read", path, &error))?;
    let name = named(&with_name(path), found.is_dir());
    if found.is_dir() {
        let (root, files) = (path.to_owned(), of_directory(path)?);
        let main = entry(path, &files)?;
        let source = ModuleSource::Files(ModuleFiles { main, files });
        return Ok(Gathered::at(root, name, source));
    }
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("wasm") => {
            let bytes = read_bytes(path, limits::MODULE_BYTES_MAX)?;
            let source = ModuleSource::Component(bytes.into());
            Ok(Gathered::at(path.to_owned(), name, source))
        }
        Some("ts" | "js") => of_file(path, name),
        _ => Err(Failure::usage(format!(
            "{} is no module: a module is a .ts or .js file, a directory of them, or a component (.wasm)",
            path.display()
        ))),
    }
}

/// The path with a name at its end, which `.` and `..` have not. A link has its own.
pub fn with_name(path: &Path) -> PathBuf {
    match path.file_name() {
        None => fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()),
        Some(_) => path.to_owned(),
    }
}

/// The module's name as its path says it: made small, with `_` for what a name cannot have.
fn named(full: &Path, directory: bool) -> Option<ModuleName> {
    let name = match directory {
        true => full.file_name(),
        false => full.file_stem(),
    };
    let good = |c: char| match c.to_ascii_lowercase() {
        c @ ('a'..='z' | '0'..='9') => c,
        _ => '_',
    };
    let name: String = name?.to_str()?.chars().map(good).collect();
    ModuleName::new(&name).ok()
}

/// The files of a module in a directory, by their paths from there.
fn of_directory(dir: &Path) -> Result<BTreeMap<String, String>, Failure> {
    let (mut files, mut bytes) = (BTreeMap::new(), 0);
    let mut waiting = vec![PathBuf::new()];
    while let Some(below) = waiting.pop() {
        let at = dir.join(&below);
        let entries = fs::read_dir(&at).map_err(|error| Failure::file("read", &at, &error))?;
        for entry in entries {
            let entry = entry.map_err(|error| Failure::file("read", &at, &error))?;
            let kind = entry.file_type();
            let kind = kind.map_err(|error| Failure::file("read", &entry.path(), &error))?;
            let name = entry.file_name();
            let Some(name) = name.to_str().filter(|name| !name.starts_with('.')) else {
                continue;
            };
            if kind.is_dir() && name != "node_modules" {
                waiting.push(below.join(name));
            } else if !kind.is_dir() && is_source(name) {
                let text = read(&entry.path(), &mut bytes)?;
                files.insert(slashed(&below.join(name)), text);
                check_count(dir, files.len())?;
            }
        }
    }
    match files.is_empty() {
        true => Err(Failure::usage(format!(
            "{} holds no .ts or .js file",
            dir.display()
        ))),
        false => Ok(files),
    }
}

/// A file of a module, and not of its tests or types.
fn is_source(name: &str) -> bool {
    let source = name.ends_with(".ts") || name.ends_with(".js");
    let beside = [".test.ts", ".test.js", ".d.ts"];
    source && !beside.iter().any(|ending| name.ends_with(ending))
}

/// The file that a directory's module begins with.
fn entry(dir: &Path, files: &BTreeMap<String, String>) -> Result<String, Failure> {
    if let Some(main) = package_main(dir)? {
        let main = main.strip_prefix("./").unwrap_or(&main);
        return match files.contains_key(main) {
            true => Ok(main.to_owned()),
            false => Err(Failure::usage(format!(
                "{}: \"main\" is `{main}`, which is none of the module's .ts and .js files",
                dir.join("package.json").display()
            ))),
        };
    }
    let known = ENTRIES.into_iter().find(|name| files.contains_key(*name));
    match (known, files.keys().next()) {
        (Some(known), _) => Ok(known.to_owned()),
        (None, Some(only)) if files.len() == 1 => Ok(only.clone()),
        _ => Err(Failure::usage(format!(
            "{} has no index.ts, main.ts or mod.ts, and no package.json with \"main\"; name the file that the \
             module begins with",
            dir.display()
        ))),
    }
}

fn package_main(dir: &Path) -> Result<Option<String>, Failure> {
    let path = dir.join("package.json");
    check_file(&path)?;
    let text = match bounded::read_file(&path, limits::MODULE_BYTES_MAX) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Failure::file("read", &path, &error)),
    };
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&text);
    let package: serde_json::Value = serde_json::from_slice(text)
        .map_err(|error| Failure::usage(format!("{} is not JSON: {error}", path.display())))?;
    Ok(package["main"].as_str().map(str::to_owned))
}

/// A file and those that it imports, as far as they are there. Their paths begin at the deepest
/// directory that holds them all, wherever the current one is.
fn of_file(path: &Path, name: Option<ModuleName>) -> Result<Gathered, Failure> {
    let (mut texts, mut bytes) = (BTreeMap::new(), 0);
    let from = match path.is_absolute() {
        true => PathBuf::new(),
        false => env::current_dir().map_err(|error| Failure::file("read", path, &error))?,
    };
    let main = plain(&from.join(path));
    let mut waiting = BTreeSet::from([main.clone()]);
    while let Some(at) = waiting.pop_first() {
        let text = read(&relative(&at, &from), &mut bytes)?;
        let near = at.parent().unwrap_or(Path::new("")).to_owned();
        let imports = relative_texts(&text).filter_map(|import| import_of(&near, import));
        waiting.extend(imports.filter(|found| *found != at && !texts.contains_key(found)));
        texts.insert(at, text);
        check_count(path, texts.len())?;
    }
    let root = common(texts.keys());
    let below = |at: &Path| slashed(at.strip_prefix(&root).unwrap_or(at));
    let main = below(&main);
    let files = texts.iter().map(|(at, text)| (below(at), text.clone()));
    let files = files.collect();
    let source = ModuleSource::Files(ModuleFiles { main, files });
    Ok(Gathered {
        name,
        source,
        root,
        from,
    })
}

/// Every text in quotes that begins like a path: each import, and perhaps more. Points alone are in many texts, and a path
/// where something is imported.
fn relative_texts(source: &str) -> impl Iterator<Item = &str> {
    let mut before = "";
    source.split(['"', '\'']).filter(move |text| {
        let word = std::mem::replace(&mut before, *text).trim_end();
        let imported = word.ends_with("from") || word.ends_with("import");
        let relative = text.starts_with("./")
            || text.starts_with("../")
            || imported && [".", ".."].contains(text);
        relative && text.len() <= limits::MODULE_PATH_BYTES_MAX && !text.contains('\n')
    })
}

/// The file that an import stands for, if it is there: as it is written, with an ending, as the index of
/// a directory, or the TypeScript that its `.js` is made from.
fn import_of(near: &Path, import: &str) -> Option<PathBuf> {
    let at = plain(&near.join(import));
    let text = at.to_str()?;
    let endings = ["", ".ts", ".js"];
    let tried = endings.iter().map(|ending| format!("{text}{ending}"));
    let typescript = text.strip_suffix(".js").map(|stem| format!("{stem}.ts"));
    let indices = ["index.ts", "index.js"].map(|name| at.join(name));
    let tried = tried.map(PathBuf::from).chain(indices);
    tried.chain(typescript.map(PathBuf::from)).find(|path| {
        let source = path.extension().is_some_and(|it| it == "ts" || it == "js");
        source && path.is_file()
    })
}

/// The path without `.` and, where it can be told, without `..`.
fn plain(path: &Path) -> PathBuf {
    let mut parts = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir
                if matches!(parts.components().next_back(), Some(Component::Normal(_))) =>
            {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts
}

/// The way to a path from a directory, both without `.` and `..`.
fn relative(at: &Path, from: &Path) -> PathBuf {
    let both = at.components().zip(from.components());
    let shared = both.take_while(|(one, other)| one == other).count();
    let up = from.components().skip(shared).map(|_| Component::ParentDir);
    up.chain(at.components().skip(shared)).collect()
}

/// The deepest directory that holds all of these files.
fn common<'p>(mut paths: impl Iterator<Item = &'p PathBuf>) -> PathBuf {
    let parent = |path: &PathBuf| path.parent().unwrap_or(Path::new("")).to_owned();
    let mut root = paths.next().map(parent).unwrap_or_default();
    for path in paths {
        while !path.starts_with(&root) && root.pop() {}
    }
    root
}

fn read(path: &Path, bytes: &mut usize) -> Result<String, Failure> {
    let text = read_bytes(path, limits::MODULE_BYTES_MAX - *bytes)?;
    *bytes += text.len();
    String::from_utf8(text).map_err(|error| {
        let (path, at) = (path.display(), error.utf8_error().valid_up_to());
        Failure::usage(format!(
            "{path}: byte {at} is not UTF-8; save the file as UTF-8"
        ))
    })
}

/// Reads a file that may have so many bytes for its module to be none too large.
fn read_bytes(path: &Path, most: usize) -> Result<Vec<u8>, Failure> {
    check_file(path)?;
    bounded::read_file(path, most).map_err(|error| match error.kind() {
        ErrorKind::FileTooLarge => Failure::usage(format!(
            "{}: a module has at most {} bytes",
            path.display(),
            limits::MODULE_BYTES_MAX
        )),
        _ => Failure::file("read", path, &error),
    })
}

/// Refuses a directory with a file's name, and a pipe: opening it would wait for somebody else.
fn check_file(path: &Path) -> Result<(), Failure> {
    match fs::metadata(path).is_ok_and(|there| !there.is_file()) {
        false => Ok(()),
        true => Err(Failure::usage(format!("{} is no file", path.display()))),
    }
}

fn check_count(path: &Path, files: usize) -> Result<(), Failure> {
    match files > limits::MODULE_FILES_MAX {
        false => Ok(()),
        true => Err(Failure::usage(format!(
            "{}: a module has at most {} files",
            path.display(),
            limits::MODULE_FILES_MAX
        ))),
    }
}

/// A path within a module, with slashes on every system.
fn slashed(path: &Path) -> String {
    let parts: Vec<_> = path
        .components()
        .map(|part| part.as_os_str().to_string_lossy())
        .collect();
    parts.join("/")
}

impl Gathered {
    fn at(root: PathBuf, name: Option<ModuleName>, source: ModuleSource) -> Self {
        let from = PathBuf::new();
        Self {
            name,
            source,
            root,
            from,
        }
    }

    /// The module's name, as given or as the path says it.
    ///
    /// # Errors
    /// If it is neither given nor follows from the path.
    pub fn name(&self, given: Option<&ModuleName>, path: &Path) -> Result<ModuleName, Failure> {
        let name = given.cloned().or_else(|| self.name.clone());
        name.ok_or_else(|| {
            Failure::usage(format!(
                "no name of a module follows from {}: give one with --name, of a-z, 0-9 and _",
                path.display()
            ))
        })
    }

    /// What is wrong with the sources, as compilers say it: an editor finds the place.
    pub fn place(&self, file: &str, line: Option<u32>, column: Option<u32>) -> String {
        let at = match self.source {
            // Whatever it is named here, the server has it as `module.wasm`.
            ModuleSource::Component(_) => self.root.clone(),
            _ => relative(&self.root.join(file), &self.from),
        };
        let mut place = at.display().to_string();
        for number in [line, column].into_iter().map_while(|number| number) {
            place.push_str(&format!(":{number}"));
        }
        place
    }

    /// A refusal by a server, with its place if it has one.
    pub fn failure(&self, error: ordain_client::Error) -> Failure {
        let place = error.problem().and_then(|problem| {
            let file = problem.file.as_ref()?;
            let place = self.place(file, problem.line, problem.column);
            Some(format!("{place}: {}{}", problem.detail, way_out(problem)))
        });
        match place {
            Some(message) => Failure::new(Exit::Refused, message),
            None => error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::process::Command;

    use super::*;

    fn home(files: &[(&str, &str)]) -> tempfile::TempDir {
        let home = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = home.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        home
    }

    /// The entry file, then all paths; or what is wrong.
    fn gathered(home: &tempfile::TempDir, path: &str) -> Result<Vec<String>, String> {
        match gather(&home.path().join(path)) {
            Ok(Gathered {
                source: ModuleSource::Files(ModuleFiles { main, files }),
                ..
            }) => Ok([main].into_iter().chain(files.into_keys()).collect()),
            Ok(_) => Ok(vec!["a component".to_owned()]),
            Err(failure) => Err(failure.message.unwrap_or_default()),
        }
    }

    #[track_caller]
    fn holds(home: &tempfile::TempDir, path: &str, expected: &[&str]) {
        let expected: Vec<String> = expected.iter().map(|&path| path.to_owned()).collect();
        assert_eq!(gathered(home, path), Ok(expected), "{path}");
    }

    #[test]
    fn a_file_brings_what_it_imports_and_nothing_else() {
        let home = home(&[
            (
                "app/bank.ts",
                "import { a } from './lib/money.js';\nimport x from \"ordain\";",
            ),
            (
                "app/lib/money.ts",
                "export * from \"../../shared\"; // './bank'",
            ),
            (
                "shared/index.ts",
                "import '../app/bank.ts'; const s = './gone';",
            ),
            ("app/other.ts", ""),
            ("alone.js", "export {}"),
            ("part.wasm", "\0asm"),
        ]);
        let all = [
            "app/bank.ts",
            "app/bank.ts",
            "app/lib/money.ts",
            "shared/index.ts",
        ];
        holds(&home, "app/bank.ts", &all);
        holds(&home, "alone.js", &["alone.js", "alone.js"]);
        holds(&home, "part.wasm", &["a component"]);
    }

    #[test]
    fn points_alone_are_directories_where_something_is_imported() {
        let home = home(&[
            ("a/index.ts", "import './b/c'"),
            ("a/b/c.ts", "import { x } from\n\"..\"; 'a.b'.split('.')"),
            ("a/b/index.ts", ""),
            ("b/c.ts", "import '.'"),
            ("b/index.ts", "export * from \"./\""),
        ]);
        holds(&home, "a/index.ts", &["index.ts", "b/c.ts", "index.ts"]);
        holds(&home, "b/c.ts", &["c.ts", "c.ts", "index.ts"]);
    }

    #[test]
    fn a_directory_brings_its_sources_and_begins_where_it_says() {
        let mut files = vec![
            ("lib/b.ts", ""),
            ("lib/b.test.ts", ""),
            ("ordain.d.ts", ""),
            ("node_modules/x/index.js", ""),
            (".git/hook.js", ""),
            ("README.md", ""),
        ];
        let one = home(&files);
        holds(&one, "", &["lib/b.ts", "lib/b.ts"]);
        files.push(("c.js", ""));
        let said = gathered(&home(&files), "").unwrap_err();
        assert!(said.contains("name the file"), "{said}");
        files.push(("main.ts", ""));
        holds(
            &home(&files),
            "",
            &["main.ts", "c.js", "lib/b.ts", "main.ts"],
        );
        files.push(("package.json", "\u{feff}{\"main\":\"./lib/b.ts\"}"));
        holds(
            &home(&files),
            "",
            &["lib/b.ts", "c.js", "lib/b.ts", "main.ts"],
        );
        files.push(("package.json", r#"{"main":"gone.ts"}"#));
        assert!(gathered(&home(&files), "").unwrap_err().contains("gone.ts"));
    }

    #[test]
    fn what_is_no_module_is_told() {
        let home = home(&[("a.txt", ""), ("empty/a.txt", "")]);
        fs::write(home.path().join("bad.ts"), b"ab\xff").unwrap();
        fs::create_dir_all(home.path().join("pipes/a")).unwrap();
        for pipe in ["pipe.ts", "pipes/pipe.ts", "pipes/a/package.json"] {
            let made = Command::new("mkfifo").arg(home.path().join(pipe)).status();
            assert!(made.unwrap().success(), "{pipe}");
        }
        fs::write(home.path().join("pipes/a/index.ts"), "").unwrap();
        for (path, says) in [
            ("a.txt", "no module"),
            ("empty", "no .ts"),
            ("none.ts", "none.ts"),
            ("pipe.ts", "pipe.ts is no file"),
            ("pipes", "pipe.ts is no file"),
            ("pipes/a", "package.json is no file"),
            ("bad.ts", "byte 2 is not UTF-8"),
        ] {
            let said = gathered(&home, path).unwrap_err();
            assert!(said.contains(says), "{path}: {said}");
        }
    }

    #[test]
    fn places_are_those_of_the_askers_files() {
        let home = home(&[("a/bank.ts", ""), ("bank.wasm", "")]);
        let check = |path: &str, file: &str, line, place: &str| {
            let gathered = gather(&home.path().join(path)).unwrap();
            let expected = home.path().join(place).display().to_string();
            assert_eq!(gathered.place(file, line, line), expected);
        };
        check("a/bank.ts", "bank.ts", Some(3), "a/bank.ts:3:3");
        check(
            "bank.wasm",
            ordain_api::modules::WASM_FILE,
            None,
            "bank.wasm",
        );
    }

    #[test]
    fn a_link_has_its_own_name_and_what_it_imports_is_beside_it() {
        let home = home(&[
            ("versions/v2.ts", "import './money'"),
            ("money.ts", ""),
            ("shop/v2/index.ts", ""),
        ]);
        let at = |path: &str| home.path().join(path);
        symlink("versions/v2.ts", at("bank.ts")).unwrap();
        symlink("v2", at("shop/current")).unwrap();
        holds(&home, "bank.ts", &["bank.ts", "bank.ts", "money.ts"]);
        for (path, name) in [
            ("bank.ts", "bank"),
            ("shop/current", "current"),
            ("shop/current/", "current"),
            ("shop/v2/.", "v2"),
            ("shop/v2/..", "shop"),
        ] {
            let path = at(path);
            let found = named(&with_name(&path), path.is_dir()).unwrap();
            assert_eq!(found.as_str(), name, "{path:?}");
        }
    }

    #[test]
    fn places_are_shown_from_where_the_asker_is() {
        for (at, from, shown) in [
            ("/h/app/bank.ts", "/h/app", "bank.ts"),
            ("/h/shared.ts", "/h/app", "../shared.ts"),
            ("/h/lib/a.ts", "/h/app/src", "../../lib/a.ts"),
            ("/h/app/bank.ts", "/", "h/app/bank.ts"),
            ("/h/app/bank.ts", "", "/h/app/bank.ts"),
        ] {
            let way = relative(Path::new(at), Path::new(from));
            assert_eq!(way, Path::new(shown), "{at} from {from}");
        }
    }

    #[test]
    fn a_name_follows_from_the_path_where_it_can() {
        for (path, directory, name) in [
            ("/a/bank.ts", false, Some("bank")),
            ("/a/My-Bank.v2.ts", false, Some("my_bank_v2")),
            ("/a/shop", true, Some("shop")),
            ("/a/shop.v2", true, Some("shop_v2")),
            ("/a/3d.ts", false, None),
            ("/", true, None),
        ] {
            let found = named(Path::new(path), directory);
            assert_eq!(found.as_ref().map(ModuleName::as_str), name, "{path}");
        }
    }
}
