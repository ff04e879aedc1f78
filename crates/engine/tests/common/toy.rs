//! Modules in a language made for tests: a source is JSON, `{"counter": {"version": 1, "methods": {"add":
//! {"kind": "update", "does": "add", "by": 2}}}}`. A method's arguments are decoded with its version, so
//! that what was decoded for another one can be told. A state is a number, to which each migration adds
//! [`MIGRATED`].

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ordain_engine::{
    Args, ArgumentError, Decoded, MethodDef, Modules, Run, State, StateType, Tx, TypeDef,
};
use ordain_types::module::{
    EntityManifest, File, Language, Manifest, MethodManifest, ModuleHash, Package, Source,
    SourceError,
};
use ordain_types::{EntityType, FieldKey, Json, Method, MethodKind, Rejection};
use serde_json::{Map, Value, json};

/// Runs them.
pub struct Toy;

/// What a migration adds to a state.
pub const MIGRATED: i64 = 1_000_000;

/// A source of one file.
pub fn source(text: &Value) -> Source {
    Source {
        main: "toy.json".to_owned(),
        files: vec![File {
            path: "toy.json".to_owned(),
            bytes: text.to_string().into(),
        }],
    }
}

/// A counter whose `add` adds so much.
pub fn counter(by: i64) -> Value {
    json!({"counter": {"version": 1, "methods": {
        "add": {"kind": "update", "does": "add", "by": by},
        "look": {"kind": "query", "does": "get"},
        "note": {"kind": "update", "does": "field"},
    }}})
}

fn entities(source: &Source) -> Result<Map<String, Value>, SourceError> {
    let parsed: Result<Value, _> = serde_json::from_slice(&source.files[0].bytes);
    match parsed {
        Ok(Value::Object(entities)) => Ok(entities),
        _ => Err(SourceError::new("not a toy")),
    }
}

fn methods(entity: &Value) -> impl Iterator<Item = (Method, MethodKind, &Value)> {
    let methods = entity["methods"].as_object().expect("methods by name");
    methods.iter().map(|(name, method)| {
        let kind = match method["kind"].as_str() {
            Some("query") => MethodKind::Query,
            _ => MethodKind::Update,
        };
        (Method::new(name).expect("a name"), kind, method)
    })
}

fn version(entity: &Value) -> u32 {
    entity["version"].as_u64().unwrap_or(1) as u32
}

impl Modules for Toy {
    fn shown(&self, stored: Json) -> Json {
        Numbers { version: 1 }.shown(stored)
    }

    fn compile(&self, source: &Source) -> Result<Package, SourceError> {
        let entities = entities(source)?.into_iter().map(|(name, entity)| {
            let methods = methods(&entity).map(|(name, kind, _)| MethodManifest {
                name,
                kind,
                params: None,
                result: "{}".to_owned(),
            });
            EntityManifest {
                name: EntityType::new(&name).expect("a name"),
                version: version(&entity),
                migrates: entity["migrates"] == json!(true),
                methods: methods.collect(),
            }
        });
        Ok(Package {
            manifest: Manifest {
                language: Language::JavaScript,
                sdk: "toy".to_owned(),
                entities: entities.collect(),
            },
            source: source.clone(),
        })
    }

    fn load(&self, hash: ModuleHash, package: &Package) -> Result<Vec<TypeDef>, String> {
        let entities = entities(&package.source).map_err(|error| error.to_string())?;
        let types = entities.iter().map(|(name, entity)| {
            let methods = methods(entity).map(|(name, kind, method)| MethodDef {
                name,
                kind,
                params: Vec::new(),
                result: "{}".to_owned(),
                run: Arc::new(Does {
                    hash,
                    does: method["does"].as_str().unwrap_or("get").to_owned(),
                    by: method["by"].as_i64().unwrap_or(1),
                }),
            });
            TypeDef {
                name: EntityType::new(name).expect("a name"),
                state: Arc::new(Numbers {
                    version: version(entity),
                }),
                methods: methods.collect(),
                native: None,
                module: None,
            }
        });
        Ok(types.collect())
    }
}

/// A number, and the version of the type that has it.
#[derive(Clone, Copy)]
struct Number(i64, u32);

impl Number {
    /// Of the first version the number alone, of others the version before it.
    fn text(self) -> String {
        match self {
            Self(number, 1) => number.to_string(),
            Self(number, version) => format!("[{version},{number}]"),
        }
    }
}

impl State for Number {
    fn snapshot(&self) -> Box<dyn State> {
        Box::new(*self)
    }

    fn encode(&self, out: &mut Vec<u8>) -> Result<(), String> {
        out.extend_from_slice(self.text().as_bytes());
        Ok(())
    }

    fn encoded_len(&self) -> Result<usize, String> {
        Ok(self.text().len())
    }
}

struct Numbers {
    version: u32,
}

impl StateType for Numbers {
    fn initial(&self) -> Box<dyn State> {
        Box::new(Number(0, self.version))
    }

    fn decode(&self, json: &[u8]) -> Result<Box<dyn State>, String> {
        let read: Value = serde_json::from_slice(json).map_err(|error| error.to_string())?;
        let (from, number) = match &read {
            Value::Array(pair) => (pair[0].as_u64(), pair[1].as_i64()),
            number => (Some(1), number.as_i64()),
        };
        let number = number.ok_or_else(|| format!("{read} is no number"))?;
        let migrated = i64::from(from != Some(self.version.into())) * MIGRATED;
        Ok(Box::new(Number(number + migrated, self.version)))
    }

    fn shown(&self, stored: Json) -> Json {
        format!("\"{}\"", String::from_utf8_lossy(&stored)).into()
    }
}

/// How often arguments were spelled of a method that spells the same ones otherwise each time, as a map does that
/// has no order.
static SPELLED: AtomicU64 = AtomicU64::new(0);

struct Does {
    hash: ModuleHash,
    does: String,
    by: i64,
}

/// Arguments, and for which package they were decoded.
struct For(ModuleHash);

impl Run for Does {
    fn decode(&self, json: &[u8]) -> Result<Decoded, ArgumentError> {
        let canonical = match self.does.as_str() {
            "spells" => format!("{{\"n\":{}}}", SPELLED.fetch_add(1, Ordering::Relaxed)).into(),
            _ => Json::copy_from_slice(json),
        };
        Ok(Decoded {
            args: Box::new(For(self.hash)),
            canonical,
        })
    }

    fn takes(&self, args: &Args) -> bool {
        let args = args.downcast_ref::<For>();
        args.is_some_and(|args| args.0 == self.hash)
    }

    fn run(&self, tx: &mut Tx, args: Args) -> Result<Json, Rejection> {
        let args = args.downcast::<For>().expect("decoded by a toy");
        assert_eq!(args.0, self.hash, "decoded for another version");
        match self.does.as_str() {
            "add" => *number(tx) += self.by,
            "field" => tx.field_put(&FieldKey::new("note").expect("a key"), "1".into()),
            "unnote" => tx.field_delete(&FieldKey::new("note").expect("a key")),
            "again" => {
                let (entity, method) = (tx.entity().clone(), Method::new("again"));
                *number(tx) += self.by;
                tx.send(entity, method.expect("a name"), b"{}", 0);
            }
            "careful" => {
                *number(tx) += self.by;
                tx.random();
                if !tx.careful() {
                    tx.log("the first run");
                    tx.run_carefully();
                }
                tx.log("the second run");
            }
            "calls" => {
                let with = format!(r#"{{"careful":{}}}"#, tx.careful());
                let look = Method::new("look").expect("a name");
                tx.call_dynamic(
                    &"counter/b".parse().expect("an entity"),
                    &look,
                    with.as_bytes(),
                )?;
            }
            "differs" => *number(tx) += self.by + i64::from(tx.careful()),
            _ => {}
        }
        let state: &dyn Any = tx.state();
        let state = state.downcast_ref::<Number>().expect("a number");
        Ok(state.0.to_string().into())
    }
}

fn number(tx: &mut Tx) -> &mut i64 {
    let state: &mut dyn Any = tx.state_mut();
    &mut state.downcast_mut::<Number>().expect("a number").0
}
