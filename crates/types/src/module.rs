//! Modules: what is deployed. A package is a module's sources as its author wrote them, with the
//! manifest that compiling them found; its hash names it. The encoding is postcard's behind a version.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{EntityType, Method, MethodKind, ModuleName, Seq, Timestamp, limits};

/// The name of a package by its content: SHA-256 over its encoding. Written as 64 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ModuleHash(pub [u8; 32]);

impl ModuleHash {
    /// The first 12 hex digits: enough for people to tell versions apart.
    pub fn short(&self) -> String {
        let mut text = self.to_string();
        text.truncate(12);
        text
    }
}

impl fmt::Display for ModuleHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ModuleHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ModuleHash({self})")
    }
}

/// What a module is written in, as its host sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// JavaScript, or TypeScript once its types are stripped.
    JavaScript,
    /// A WebAssembly component.
    Wasm,
}

impl Language {
    /// Its name, for people.
    pub fn name(self) -> &'static str {
        match self {
            Language::JavaScript => "JavaScript or TypeScript",
            Language::Wasm => "WebAssembly",
        }
    }
}

/// What is in a module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// What it is written in.
    pub language: Language,
    /// The version of the SDK, or of the world, that it is written against.
    pub sdk: String,
    /// Its entity types, in the order of their names.
    pub entities: Vec<EntityManifest>,
}

/// An entity type of a module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntityManifest {
    /// Its name.
    pub name: EntityType,
    /// The version of its state's shape; 1 if the module does not say.
    pub version: u32,
    /// Whether the module brings states of other versions to this one.
    pub migrates: bool,
    /// Its methods, in the order of their names.
    pub methods: Vec<MethodManifest>,
}

/// A method of a module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MethodManifest {
    /// Its name.
    pub name: Method,
    /// Whether it may write.
    pub kind: MethodKind,
    /// Its parameters; none: they are not described, and any JSON object is taken.
    pub params: Option<Vec<Param>>,
    /// The JSON schema of its value, as JSON text; `{}` where nothing is known.
    pub result: String,
}

/// A parameter of a method.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Param {
    /// Its name in the arguments object.
    pub name: String,
    /// Its JSON schema, as JSON text; `{}` where nothing is known.
    pub schema: String,
    /// Whether it may be left out.
    pub required: bool,
}

/// One file of a module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Its path within the module: `bank.ts`, `lib/money.ts`.
    pub path: String,
    /// What is in it.
    pub bytes: Bytes,
}

/// Sources as they are handed in, before anything is known of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The path of the file that is begun with.
    pub main: String,
    /// All files, in the order of their paths.
    pub files: Vec<File>,
}

/// What is deployed, stored and logged. It never changes; its hash is its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// What is in it.
    pub manifest: Manifest,
    /// As its author wrote it.
    pub source: Source,
}

/// What is wrong with sources, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceError {
    /// The file; none if it is about no one file.
    pub file: Option<String>,
    /// The line, from 1.
    pub line: Option<u32>,
    /// The column in characters, from 1.
    pub column: Option<u32>,
    /// What is wrong and what to write instead.
    pub message: String,
}

impl SourceError {
    /// About no one place.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            file: None,
            line: None,
            column: None,
            message: message.into(),
        }
    }
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            f.write_str(file)?;
            if let Some(line) = self.line {
                write!(f, ":{line}")?;
                if let Some(column) = self.column {
                    write!(f, ":{column}")?;
                }
            }
            f.write_str(": ")?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for SourceError {}

/// A place in a module's sources, written as compilers write it: `bank.ts:3:14`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file's path within the module.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// How a version of a module came into force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum How {
    /// It was deployed.
    Deploy,
    /// An earlier version was put in force again.
    Rollback,
    /// The module was taken out of force; the version stands for nothing.
    Undeploy,
}

/// One line of a module's history: the payload of its row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// Counts the lines, from 1.
    pub version: u32,
    /// The version whose package it is: its own, or that which a rollback went back to.
    pub origin: u32,
    /// The package in force from here on; of an undeployment, until here.
    pub hash: ModuleHash,
    /// How it came about.
    pub how: How,
    /// Who asked for it.
    pub caller: String,
    /// The command.
    pub seq: Seq,
    /// Its time.
    pub at: Timestamp,
}

/// A module in force: the payload of the row that lists them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InForceModule {
    /// Its name.
    pub name: ModuleName,
    /// Which version.
    pub version: u32,
    /// Its package.
    pub hash: ModuleHash,
}

/// The encoding's version, the first byte of every package.
const VERSION: u8 = 1;

/// Bytes that are no package.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a module's package: {0}")]
pub struct PackageError(String);

impl Package {
    /// The encoding, which the hash is taken over.
    pub fn encode(&self) -> Bytes {
        let out = postcard::to_extend(self, vec![VERSION]).expect("a package encodes into memory");
        out.into()
    }

    /// Reads a package; every byte must belong to it.
    ///
    /// # Errors
    /// If the bytes are not exactly one package.
    pub fn decode(bytes: &[u8]) -> Result<Self, PackageError> {
        match bytes.split_first() {
            Some((&VERSION, rest)) => {
                let (package, rest) = postcard::take_from_bytes(rest)
                    .map_err(|error| PackageError(error.to_string()))?;
                match rest.len() {
                    0 => Ok(package),
                    extra => Err(PackageError(format!("{extra} bytes follow it"))),
                }
            }
            Some((version, _)) => Err(PackageError(format!(
                "its version is {version}, this program knows {VERSION}"
            ))),
            None => Err(PackageError("it is empty".to_owned())),
        }
    }
}

/// The hash of an encoded package.
pub fn hash(encoded: &[u8]) -> ModuleHash {
    ModuleHash(Sha256::digest(encoded).into())
}

impl Source {
    /// Bytes of all files with their paths.
    pub fn bytes(&self) -> usize {
        let files = self.files.iter();
        files.map(|file| file.path.len() + file.bytes.len()).sum()
    }

    /// Checks what holds for sources in any language: sizes, counts, paths.
    ///
    /// # Errors
    /// What is wrong.
    pub fn check(&self) -> Result<(), SourceError> {
        if self.bytes() > limits::MODULE_BYTES_MAX {
            let (bytes, limit) = (self.bytes(), limits::MODULE_BYTES_MAX);
            return Err(SourceError::new(format!(
                "the module has {bytes} bytes, more than the limit of {limit}"
            )));
        }
        if self.files.len() > limits::MODULE_FILES_MAX {
            let (files, limit) = (self.files.len(), limits::MODULE_FILES_MAX);
            return Err(SourceError::new(format!(
                "the module has {files} files, more than the limit of {limit}"
            )));
        }
        for file in &self.files {
            check_path(&file.path)?;
        }
        if !self.files.is_sorted_by(|a, b| a.path < b.path) {
            return Err(SourceError::new(
                "the files of a module are given once each, in the order of their paths",
            ));
        }
        if !self.files.iter().any(|file| file.path == self.main) {
            let main = self.main.escape_debug();
            return Err(SourceError::new(format!(
                "the module has no file `{main}` to begin with"
            )));
        }
        Ok(())
    }
}

/// A path within a module: relative, of plain parts, without what a file system may read otherwise.
fn check_path(path: &str) -> Result<(), SourceError> {
    let plain = |part: &str| !part.is_empty() && part != "." && part != "..";
    let good = (1..=limits::MODULE_PATH_BYTES_MAX).contains(&path.len())
        && path.split('/').all(plain)
        && !path.contains(|c: char| c.is_control() || c == '\\');
    match good {
        true => Ok(()),
        false => Err(SourceError::new(format!(
            "`{}` is no path within a module: parts divided by `/`, none of them empty, `.` or `..`, \
             at most {} bytes",
            path.chars().take(80).collect::<String>().escape_debug(),
            limits::MODULE_PATH_BYTES_MAX
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(paths: &[&str]) -> Source {
        let file = |path: &&str| File {
            path: (*path).to_owned(),
            bytes: Bytes::from_static(b"x"),
        };
        Source {
            main: paths[0].to_owned(),
            files: paths.iter().map(file).collect(),
        }
    }

    fn package() -> Package {
        let method = MethodManifest {
            name: Method::new("add").unwrap(),
            kind: MethodKind::Update,
            params: Some(vec![Param {
                name: "n".into(),
                schema: "{}".into(),
                required: true,
            }]),
            result: "{}".into(),
        };
        let entity = EntityManifest {
            name: EntityType::new("counter").unwrap(),
            version: 2,
            migrates: true,
            methods: vec![method],
        };
        Package {
            manifest: Manifest {
                language: Language::JavaScript,
                sdk: "0.1".into(),
                entities: vec![entity],
            },
            source: source(&["a.ts"]),
        }
    }

    #[test]
    fn golden_bytes_and_round_trip() {
        let bytes = package().encode();
        let golden = b"\x01\x00\x030.1\x01\x07counter\x02\x01\x01\x03add\x01\x01\x01\x01n\x02{}\x01\x02{}\x04a.ts\x01\x04a.ts\x01x";
        assert_eq!(&bytes[..], golden);
        assert_eq!(Package::decode(&bytes), Ok(package()));
        assert_eq!(hash(&bytes).to_string().len(), 64);
        assert!(hash(&bytes).to_string().starts_with(&hash(&bytes).short()));
    }

    #[test]
    fn garbage_is_refused() {
        let bytes = package().encode();
        for end in 0..bytes.len() {
            assert!(Package::decode(&bytes[..end]).is_err(), "cut at {end}");
        }
        assert!(Package::decode(&[&bytes[..], b"x"].concat()).is_err());
        assert!(Package::decode(&[b"\x09", &bytes[1..]].concat()).is_err());
    }

    #[test]
    fn sources_are_checked() {
        assert_eq!(source(&["a.ts", "lib/b.ts"]).check(), Ok(()));
        for bad in [
            "",
            "/a",
            "a//b",
            "../a",
            "a/./b",
            "a\\b",
            "a\nb",
            &"p".repeat(300),
        ] {
            assert!(source(&[bad]).check().is_err(), "{bad:?}");
        }
        assert!(source(&["b", "a"]).check().is_err(), "out of order");
        assert!(source(&["a", "a"]).check().is_err(), "twice");
        let mut lost = source(&["a"]);
        lost.main = "b".into();
        assert!(lost.check().is_err());
    }

    #[test]
    fn errors_name_the_place() {
        let mut error = SourceError::new("no");
        assert_eq!(error.to_string(), "no");
        (error.file, error.line, error.column) = (Some("a.ts".into()), Some(3), Some(7));
        assert_eq!(error.to_string(), "a.ts:3:7: no");
    }
}
