//! Bodies of the endpoints for modules: sources in; what is in force, what was done, and what a
//! deployment would change out. What a module's files mean is not known here.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use ordain_types::module::{File, How, Language};
use ordain_types::{MethodKind, Seq, Source, Timestamp, limits};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::describe::Param;
use crate::error::Problem;
use crate::json;

/// Bytes of a deployment's body: a module of the largest size, with room for what JSON adds to text.
pub const DEPLOY_BODY_BYTES_MAX: usize = limits::MODULE_BYTES_MAX + limits::MODULE_BYTES_MAX / 4;

/// The path that the one file of a WebAssembly module has.
pub const WASM_FILE: &str = "module.wasm";

/// How deep the JSON of a deployment nests: the object, and its files.
const DEPTH_MAX: usize = 2;

/// `POST /v1/admin/modules/{name}`: a module's files, all of them text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModuleFiles {
    /// The path of the file that is begun with.
    pub main: String,
    /// Text by path: `bank.ts`, `lib/money.ts`.
    #[serde(deserialize_with = "each_once")]
    pub files: BTreeMap<String, String>,
}

impl ModuleFiles {
    /// Reads a body, as sources.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(body: &[u8]) -> Result<Source, Problem> {
        if std::str::from_utf8(body).is_err() {
            return Err(Problem::malformed_json("the body", "it is not UTF-8"));
        }
        json::check_depth_to(body, DEPTH_MAX)?;
        let files: Self = serde_json::from_slice(body).map_err(|error| match error.classify() {
            serde_json::error::Category::Data => {
                let form = r#"a module is {"main": "bank.ts", "files": {"bank.ts": "…"}}"#;
                Problem::bad_request("body", format!("{form}: {error}"))
            }
            _ => Problem::malformed_json("the body", error),
        })?;
        if files.files.is_empty() {
            let detail = "a module needs at least one file";
            return Err(Problem::bad_request("files", detail));
        }
        if !files.files.contains_key(&files.main) {
            let main: String = files.main.chars().take(80).collect();
            let detail = format!("there is no file `{main}` among the files; name one that is");
            return Err(Problem::bad_request("main", detail));
        }
        Ok(files.into())
    }
}

impl From<ModuleFiles> for Source {
    fn from(module: ModuleFiles) -> Self {
        let file = |(path, text): (String, String)| File {
            path,
            bytes: text.into(),
        };
        Self {
            main: module.main,
            files: module.files.into_iter().map(file).collect(),
        }
    }
}

/// The sources that a WebAssembly component is.
pub fn wasm_source(component: Bytes) -> Source {
    Source {
        main: WASM_FILE.to_owned(),
        files: vec![File {
            path: WASM_FILE.to_owned(),
            bytes: component,
        }],
    }
}

/// Refuses a path that is there twice: it could not be told which file was meant.
fn each_once<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<String, String>, D::Error> {
    struct EachOnce;

    impl<'de> Visitor<'de> for EachOnce {
        type Value = BTreeMap<String, String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object of paths and texts")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut files = BTreeMap::new();
            while let Some((path, text)) = map.next_entry::<String, String>()? {
                if files.contains_key(&path) {
                    let path: String = path.chars().take(80).collect();
                    let twice = format!("the file `{path}` is there twice");
                    return Err(serde::de::Error::custom(twice));
                }
                files.insert(path, text);
            }
            Ok(files)
        }
    }

    from.deserialize_map(EachOnce)
}

/// A deployment or a rollback: what is in force now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployed {
    /// The module's name.
    pub module: String,
    /// The version in force.
    pub version: u32,
    /// Its package, as 64 hex digits.
    pub hash: String,
    /// Whether it was not in force before.
    pub changed: bool,
}

/// `DELETE /v1/admin/modules/{name}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undeployed {
    /// The module's name.
    pub module: String,
    /// The line of its history that says so.
    pub version: u32,
}

/// `GET /v1/admin/modules`: all modules there ever were.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Modules {
    /// In the order of their names.
    pub modules: Vec<Module>,
}

/// `GET /v1/admin/modules/{name}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Module {
    /// Its name.
    pub name: String,
    /// What of it is in force; none if nothing is.
    pub in_force: Option<InForce>,
    /// What was done to it, oldest first.
    pub history: Vec<Deployment>,
}

/// A version that is in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InForce {
    /// Which version.
    pub version: u32,
    /// Its package, as 64 hex digits.
    pub hash: String,
    /// What it is written in.
    pub language: Language,
    /// The version of the SDK that it is written against.
    pub sdk: String,
    /// Its entity types, in the order of their names.
    pub entities: Vec<ModuleEntity>,
}

/// An entity type of a module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleEntity {
    /// Its name.
    pub name: String,
    /// The version of its state's shape.
    pub state_version: u32,
}

/// One line of a module's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// Counts the lines, from 1.
    pub version: u32,
    /// The version whose package it is: its own, or that which a rollback went back to.
    pub origin: u32,
    /// The package in force from here on; of an undeployment, until here.
    pub hash: String,
    /// How it came about.
    pub how: How,
    /// Who asked: a token's name, empty without tokens.
    pub caller: String,
    /// When, in milliseconds since the Unix epoch.
    pub at: Timestamp,
    /// The command.
    pub seq: Seq,
}

/// What a deployment would change: `POST /v1/admin/modules/{name}?dry_run=true`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The module's name.
    pub module: String,
    /// The version in force; none if nothing is.
    pub version: Option<u32>,
    /// The package in force, as 64 hex digits.
    pub old_hash: Option<String>,
    /// The package that would be.
    pub new_hash: String,
    /// Whether that is another one. It may be so with no change below: then only what methods do is
    /// different.
    pub changed: bool,
    /// The entity types that would look different, in the order of their names.
    pub entities: Vec<EntityChange>,
}

/// What would become of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// It is not there yet.
    Added,
    /// It would not be there any more.
    Removed,
    /// It would be another.
    Altered,
}

/// What would become of an entity type.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EntityChange {
    /// Its name.
    pub name: String,
    /// In a word.
    pub change: Change,
    /// The version of its state's shape in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old_state_version: Option<u32>,
    /// That which would be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_state_version: Option<u32>,
    /// The methods that would look different, in the order of their names.
    pub methods: Vec<MethodChange>,
}

/// What would become of a method.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MethodChange {
    /// Its name.
    pub name: String,
    /// In a word.
    pub change: Change,
    /// As it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<MethodShape>,
    /// As it would be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new: Option<MethodShape>,
}

/// A method as its callers see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MethodShape {
    /// Whether it may write.
    pub kind: MethodKind,
    /// Its parameters; none: not described, any object is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub params: Option<Vec<Param>>,
    /// The schema of its value.
    pub result: serde_json::Value,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_becomes_sources_in_the_order_of_their_paths() {
        let body = br#"{"main":"b.ts","files":{"b.ts":"two\n","a/c.ts":"one"}}"#;
        let source = ModuleFiles::parse(body).unwrap();
        assert_eq!(source.main, "b.ts");
        let paths: Vec<&str> = source.files.iter().map(|file| &*file.path).collect();
        assert_eq!(paths, ["a/c.ts", "b.ts"]);
        assert_eq!(&source.files[1].bytes[..], b"two\n");
        assert_eq!(source.check(), Ok(()));
    }

    #[test]
    fn what_is_no_module_is_refused_with_what_is_wrong() {
        let check = |body: &[u8], code: &str, says: &str| {
            let problem = ModuleFiles::parse(body).unwrap_err();
            let shown = String::from_utf8_lossy(body);
            assert_eq!(problem.code, code, "{shown}");
            assert!(problem.detail.contains(says), "{shown}: {}", problem.detail);
        };
        check(b"", "malformed_json", "EOF");
        check(b"{", "malformed_json", "EOF");
        check(b"{\"main\":\"\xff\"}", "malformed_json", "not UTF-8");
        check(b"[]", "bad_request", "main");
        check(b"{}", "bad_request", "main");
        check(br#"{"main":"a"}"#, "bad_request", "files");
        check(
            br#"{"main":"a","files":[]}"#,
            "bad_request",
            "paths and texts",
        );
        check(br#"{"main":"a","files":{}}"#, "bad_request", "at least one");
        check(br#"{"main":"a","files":{"a":1}}"#, "bad_request", "string");
        check(br#"{"main":"a","files":{"b":""}}"#, "bad_request", "`a`");
        check(
            br#"{"main":"a","files":{"a":"","a":""}}"#,
            "bad_request",
            "twice",
        );
        check(
            br#"{"main":"a","files":{"a":""},"x":1}"#,
            "bad_request",
            "`x`",
        );
        check(br#"{"main":"a","files":{"a":[[]]}}"#, "json_too_deep", "2");
        let long = format!(r#"{{"main":"{}","files":{{"a":""}}}}"#, "m".repeat(1 << 20));
        let problem = ModuleFiles::parse(long.as_bytes()).unwrap_err();
        assert!(problem.to_json().len() < 2_000);
    }
}
