//! `new`: a small project to begin with.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgMatches, Command, value_parser};
use ordain_types::ModuleName;

use super::types;
use crate::command::{Context, ExtraCommand};
use crate::exit::Failure;
use crate::output::tell;
use crate::sources::with_name;

/// A file of a project: its path, and its text with `{{name}}` for the project's name, and with the names of [`Sdk`]'s
/// parts for those.
type Template = (&'static str, &'static str);

/// Where a project in Rust takes the crate `ordain` from, and what follows from that.
struct Sdk {
    /// As a dependency is written.
    sdk: String,
    /// What its readers have to know first.
    note: &'static str,
    /// The commands that make a component of it.
    build: String,
}

const TYPESCRIPT: [Template; 5] = [
    ("{{name}}.ts", include_str!("../templates/ts/module.ts")),
    ("{{name}}.test.ts", include_str!("../templates/ts/test.ts")),
    (
        "tsconfig.json",
        include_str!("../templates/ts/tsconfig.json"),
    ),
    ("README.md", include_str!("../templates/ts/README.md")),
    (".gitignore", ".ordain*/\nnode_modules/\n"),
];

const RUST: [Template; 4] = [
    ("Cargo.toml", include_str!("../templates/rust/Cargo.toml")),
    ("src/lib.rs", include_str!("../templates/rust/src/lib.rs")),
    ("README.md", include_str!("../templates/rust/README.md")),
    (".gitignore", ".ordain*/\ntarget/\n*.wasm\n"),
];

/// The command.
pub fn new() -> ExtraCommand {
    let path = Arg::new("path")
        .required(true)
        .value_name("NAME")
        .value_parser(value_parser!(PathBuf))
        .help("The folder to make; its name is the module's");
    let lang = Arg::new("lang")
        .long("lang")
        .value_parser(["ts", "rust"])
        .default_value("ts")
        .help("The language");
    let sdk = Arg::new("sdk")
        .long("sdk")
        .value_name("DIR")
        .value_parser(value_parser!(PathBuf))
        .help("A clone of Ordain to take the crate `ordain` from, with --lang rust [default: the registry]");
    let command = Command::new("new")
        .about("Write a small project to begin with")
        .args([path, lang, sdk]);
    ExtraCommand::new(command, &[], |context, given| run(&context, given))
}

fn run(context: &Context, given: &ArgMatches) -> Result<(), Failure> {
    let path: &Path = given.get_one::<PathBuf>("path").expect("it is required");
    let name = name(path)?;
    let rust = given
        .get_one::<String>("lang")
        .is_some_and(|lang| lang == "rust");
    if rust {
        check_crate(&name)?;
    }
    let sdk = given.get_one::<PathBuf>("sdk");
    if sdk.is_some() && !rust {
        return Err(Failure::usage("--sdk is for --lang rust"));
    }
    let unpublished = rust && sdk.is_none();
    let sdk = sdk.map_or_else(|| Ok(published()), |dir| sdk_in(dir))?;
    let templates = if rust { &RUST[..] } else { &TYPESCRIPT };
    let mut files = fill(templates, &name, &sdk);
    if !rust {
        let text = types::text(context.types)?.to_owned();
        files.push((types::FILE.to_owned(), text));
    }
    check_empty(path)?;
    for (file, text) in &files {
        write(&path.join(file), text)?;
    }
    if unpublished {
        tell(
            "the crate `ordain` is not in the registry yet, so this builds with a clone of Ordain alone: name one with \
             --sdk",
        );
    }
    if context.output.json {
        let files: Vec<_> = files.iter().map(|(file, _)| file).collect();
        let path = path.display().to_string();
        let made = serde_json::json!({ "path": path, "files": files });
        return Ok(context.output.json(&made)?);
    }
    for (file, _) in &files {
        let file = path.join(file);
        context
            .output
            .line(format!("written: {}", file.display()))?;
    }
    let next = match rust {
        true => "its README says how to build it".to_owned(),
        false => format!("cd {} && ordain dev {name}.ts", word(path)),
    };
    Ok(context.output.line(format!("next: {next}"))?)
}

/// A path as one word of a shell.
fn word(path: &Path) -> String {
    let path = path.display().to_string();
    let plain = |char: char| char.is_alphanumeric() || "/._-+,:@%=".contains(char);
    match path.chars().all(plain) {
        true => path,
        false => format!("'{}'", path.replace('\'', r"'\''")),
    }
}

/// The name of the folder, which is to be a module's.
fn name(path: &Path) -> Result<ModuleName, Failure> {
    let full = with_name(path);
    let name = full.file_name().and_then(|name| name.to_str());
    ModuleName::new(name.unwrap_or_default()).map_err(|error| {
        Failure::usage(format!(
            "the folder {} gives the module its name, and {error}",
            path.display()
        ))
    })
}

/// A crate cannot have the name of one that it uses.
fn check_crate(name: &ModuleName) -> Result<(), Failure> {
    match name.as_str() {
        used @ ("ordain" | "serde") => Err(Failure::usage(format!(
            "the folder gives the crate its name, and it uses one that is named `{used}`: give the folder another"
        ))),
        _ => Ok(()),
    }
}

/// The crate of the registry.
fn published() -> Sdk {
    let core = "target/wasm32-unknown-unknown/release/{{name}}.wasm";
    Sdk {
        sdk: format!("version = \"{}\"", env!("CARGO_PKG_VERSION")),
        note: "\nThe crate `ordain` is not in the registry yet, so this builds with a clone of Ordain alone: `ordain new \
            {{name}} --lang rust --sdk CLONE` takes it from there.\n",
        build: format!(
            "cargo install wasm-tools                   # once\n\
             cargo build --release --target wasm32-unknown-unknown\n\
             wasm-tools component new {core} --output {{{{name}}}}.wasm"
        ),
    }
}

/// That of a clone.
fn sdk_in(dir: &Path) -> Result<Sdk, Failure> {
    let found = fs::canonicalize(dir.join("crates/ordain/Cargo.toml"));
    let found = found.map_err(|_| {
        let dir = dir.display();
        Failure::usage(format!(
            "{dir} is no clone of Ordain: it has no crates/ordain"
        ))
    })?;
    let path = found.parent().unwrap_or(dir);
    let script = path.join("../../sdk/rust/build.sh");
    let script =
        fs::canonicalize(&script).map_err(|error| Failure::file("find", &script, &error))?;
    let path = toml::Value::String(path.display().to_string());
    Ok(Sdk {
        sdk: format!("path = {path}"),
        note: "",
        build: format!("{} {{{{name}}}} {{{{name}}}}.wasm", word(&script)),
    })
}

fn fill(templates: &[Template], name: &ModuleName, from: &Sdk) -> Vec<(String, String)> {
    let Sdk { sdk, note, build } = from;
    let fill = |text: &str| {
        let text = text.replace("{{sdk}}", sdk).replace("{{note}}", note);
        text.replace("{{build}}", build)
            .replace("{{name}}", name.as_str())
    };
    let files = templates.iter();
    files.map(|(file, text)| (fill(file), fill(text))).collect()
}

/// Refuses a folder that holds anything: nothing of anyone's is written over.
fn check_empty(path: &Path) -> Result<(), Failure> {
    match fs::read_dir(path).map(|mut entries| entries.next().is_none()) {
        Ok(true) => Ok(()),
        Ok(false) => Err(Failure::usage(format!(
            "{} is not empty; name a folder that is not there yet",
            path.display()
        ))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Failure::file("read", path, &error)),
    }
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let parent = path.parent().unwrap_or(Path::new("."));
    let made = fs::create_dir_all(parent).and_then(|()| fs::write(path, text));
    made.map_err(|error| Failure::file("write", path, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_has_its_name_everywhere() {
        let name = ModuleName::new("shop").unwrap();
        for templates in [&TYPESCRIPT[..], &RUST] {
            for (file, text) in fill(templates, &name, &published()) {
                assert!(!file.contains("{{") && !text.contains("{{"), "{file}");
            }
        }
        assert_eq!(fill(&TYPESCRIPT, &name, &published())[0].0, "shop.ts");
    }

    #[test]
    fn a_path_is_one_word_of_a_shell() {
        for (path, expected) in [
            ("shop", "shop"),
            ("../a-b/größe_2", "../a-b/größe_2"),
            ("sp ace/shop", "'sp ace/shop'"),
            ("it's/$HOME", r"'it'\''s/$HOME'"),
        ] {
            assert_eq!(word(Path::new(path)), expected);
        }
    }

    #[test]
    fn a_crate_has_no_name_of_one_that_it_uses() {
        let shop = ModuleName::new("shop").unwrap();
        let files = fill(&RUST, &shop, &published());
        let manifest: toml::Table = files[0].1.parse().unwrap();
        for used in manifest["dependencies"].as_table().unwrap().keys() {
            assert!(
                check_crate(&ModuleName::new(used).unwrap()).is_err(),
                "{used}"
            );
        }
        assert!(check_crate(&shop).is_ok());
    }

    #[test]
    fn a_rust_project_is_one_that_cargo_reads() {
        let name = ModuleName::new("shop").unwrap();
        let clone = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let ordain = fs::read_to_string(clone.join("crates/ordain/Cargo.toml")).unwrap();
        let ordain: toml::Table = ordain.parse().unwrap();
        for (sdk, member) in [(published(), "version"), (sdk_in(&clone).unwrap(), "path")] {
            let files = fill(&RUST, &name, &sdk);
            let manifest: toml::Table = files[0].1.parse().unwrap();
            assert_eq!(manifest["package"]["name"].as_str(), Some("shop"));
            let dependency = &manifest["dependencies"]["ordain"];
            assert!(dependency[member].is_str(), "{dependency}");
            for feature in dependency["features"].as_array().unwrap() {
                let known = ordain["features"].get(feature.as_str().unwrap());
                assert!(known.is_some(), "{feature}");
            }
        }
        assert!(sdk_in(Path::new("/")).is_err());
    }

    #[test]
    fn nothing_is_written_over() {
        let home = tempfile::tempdir().unwrap();
        assert!(check_empty(home.path()).is_ok());
        assert!(check_empty(&home.path().join("none")).is_ok());
        fs::write(home.path().join("a"), "").unwrap();
        let refused = check_empty(home.path()).unwrap_err().message.unwrap();
        assert!(refused.contains("not empty"), "{refused}");
        assert!(check_empty(&home.path().join("a")).is_err(), "a file");
        assert!(name(Path::new("My Bank")).is_err());
        let here = home.path().join("here");
        fs::create_dir(&here).unwrap();
        for path in [here.join("."), here.join("none/.."), here] {
            fs::create_dir_all(&path).unwrap();
            assert_eq!(name(&path).unwrap().as_str(), "here", "{path:?}");
        }
        assert!(name(Path::new("/")).is_err());
    }
}
