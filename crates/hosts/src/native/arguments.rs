//! Arguments as they come from outside: one JSON object, parameter name to value. Unknown, missing
//! and repeated names are refused, and errors name the parameter.

use std::collections::BTreeMap;

use ordain_engine::ArgumentError;
use ordain_types::{Json, limits};
use ordain_values::to_json;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::error::Category;

/// The arguments, and the same in the method's own spelling. Nothing at all is the empty object.
#[inline]
pub(super) fn decode<A: DeserializeOwned + Serialize>(
    json: &[u8],
) -> Result<(A, Json), ArgumentError> {
    check_len(json.len())?;
    let json = match json.trim_ascii() {
        [] => b"{}",
        // A list would decode by position.
        json if json[0] != b'{' => {
            return Err(whole(
                "the arguments are not a JSON object of parameter names and values, as in {\"amount\":5}",
            ));
        }
        json => json,
    };
    let args: A = serde_json::from_slice(json).map_err(|error| explain::<A>(json, &error))?;
    let canonical = to_json(&args).map_err(|error| whole(error.to_string()))?;
    check_len(canonical.len())?;
    Ok((args, canonical))
}

/// The same of arguments from outside: what runs is read from the method's own spelling, which the log holds.
/// Types whose `Serialize` and `Deserialize` are not each other's inverse would else run on other
/// arguments than a replay.
pub(super) fn accept<A: DeserializeOwned + Serialize>(
    json: &[u8],
) -> Result<(A, Json), ArgumentError> {
    let (args, canonical) = decode::<A>(json)?;
    match canonical == json {
        true => Ok((args, canonical)),
        false => read_back(canonical),
    }
}

/// Arguments as their own spelling gives them.
#[cold]
fn read_back<A: DeserializeOwned + Serialize>(canonical: Json) -> Result<(A, Json), ArgumentError> {
    let (args, again) = decode::<A>(&canonical).map_err(|error| ArgumentError {
        message: format!("{NOT_READ_BACK}: {}", error.message),
        field: error.field,
    })?;
    match again == canonical {
        true => Ok((args, canonical)),
        false => same(&canonical, &again).map(|()| (args, canonical)),
    }
}

const NOT_READ_BACK: &str = "the arguments do not read back from their own JSON";

/// Whether two spellings differ in no more than order, as those of a `HashMap` or `HashSet` may.
fn same(canonical: &[u8], again: &[u8]) -> Result<(), ArgumentError> {
    let read = |json| serde_json::from_slice::<BTreeMap<String, Value>>(json);
    let (Ok(mut canonical), Ok(mut again)) = (read(canonical), read(again)) else {
        return Err(whole(NOT_READ_BACK));
    };
    for value in canonical.values_mut().chain(again.values_mut()) {
        sort(value);
    }
    let mut names = canonical.keys().chain(again.keys());
    match names.find(|name| canonical.get(*name) != again.get(*name)) {
        None => Ok(()),
        Some(name) => Err(ArgumentError {
            field: Some(name.clone()),
            message: format!(
                "{NOT_READ_BACK}: `{name}` is written and then read as another value, so its type's \
                 `Serialize` and `Deserialize` are not each other's inverse"
            ),
        }),
    }
}

fn sort(value: &mut Value) {
    match value {
        Value::Array(items) => {
            items.iter_mut().for_each(sort);
            items.sort_by_cached_key(Value::to_string);
        }
        Value::Object(items) => {
            items.values_mut().for_each(sort);
            items.sort_keys();
        }
        _ => {}
    }
}

fn check_len(len: usize) -> Result<(), ArgumentError> {
    let limit = limits::ARGUMENT_BYTES_MAX;
    match len > limit {
        true => Err(whole(format!(
            "the arguments have {len} bytes, more than the limit of {limit}"
        ))),
        false => Ok(()),
    }
}

fn whole(message: impl Into<String>) -> ArgumentError {
    ArgumentError {
        field: None,
        message: message.into(),
    }
}

/// Reads once more, this time noting the path to what does not fit.
fn explain<A: DeserializeOwned>(json: &[u8], error: &serde_json::Error) -> ArgumentError {
    if error.classify() != Category::Data {
        return whole(format!("the arguments are not one JSON object: {error}"));
    }
    let mut input = serde_json::Deserializer::from_slice(json);
    let path = match serde_path_to_error::deserialize::<_, A>(&mut input) {
        Ok(_) => String::new(),
        Err(error) => error.path().to_string(),
    };
    let message = error.to_string();
    ArgumentError {
        field: place(&path, &message),
        message,
    }
}

/// The path to the value that does not fit, or to the name that is missing, unknown or twice there.
fn place(path: &str, message: &str) -> Option<String> {
    let path = if path == "." { "" } else { path };
    let named = ["missing field `", "unknown field `", "duplicate field `"]
        .iter()
        .find_map(|start| message.strip_prefix(start)?.split_once('`'));
    let joined = match named {
        // The path may end in the name already.
        Some((name, _)) if path == name || path.ends_with(&format!(".{name}")) => path.to_owned(),
        Some((name, _)) if path.is_empty() => name.to_owned(),
        Some((name, _)) => format!("{path}.{name}"),
        None => path.to_owned(),
    };
    Some(joined).filter(|path| !path.is_empty())
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Serialize, Deserialize)]
    struct Line {
        sku: String,
        count: u32,
    }

    #[derive(Debug, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Args {
        amount: i64,
        note: Option<String>,
        #[serde(default)]
        lines: Vec<Line>,
    }

    #[derive(Debug, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct NoArgs {}

    fn canonical(json: &str) -> String {
        let (_, canonical) = decode::<Args>(json.as_bytes()).unwrap();
        String::from_utf8(canonical.to_vec()).unwrap()
    }

    #[test]
    fn the_canonical_form_is_the_declared_one() {
        let expected = r#"{"amount":5,"note":null,"lines":[]}"#;
        assert_eq!(canonical(r#"{"amount":5}"#), expected);
        assert_eq!(
            canonical(" { \"lines\" : [],\n\"amount\":5 , \"note\":null}\r\n"),
            expected
        );
        for nothing in ["", " \n", "{}", " { } "] {
            let (_, canonical) = decode::<NoArgs>(nothing.as_bytes()).unwrap();
            assert_eq!(canonical, "{}", "{nothing:?}");
        }
    }

    #[track_caller]
    fn refused(json: &str, field: Option<&str>, message: &str) {
        let error = decode::<Args>(json.as_bytes()).unwrap_err();
        assert_eq!(error.field.as_deref(), field, "{json}: {error}");
        assert!(error.message.contains(message), "{json}: {error}");
    }

    #[test]
    fn errors_name_the_parameter() {
        refused("", Some("amount"), "missing field `amount`");
        refused("{}", Some("amount"), "missing field `amount`");
        refused(
            r#"{"amount":5,"much":1}"#,
            Some("much"),
            "unknown field `much`",
        );
        refused(
            r#"{"amount":5,"amount":6}"#,
            Some("amount"),
            "duplicate field `amount`",
        );
        refused(r#"{"amount":"5"}"#, Some("amount"), "expected i64");
        refused(r#"{"amount":5.5}"#, Some("amount"), "expected i64");
        refused(r#"{"amount":null}"#, Some("amount"), "expected i64");
        let line =
            |line: &str| format!(r#"{{"amount":5,"lines":[{{"sku":"a","count":1}},{line}]}}"#);
        refused(
            &line(r#"{"sku":"b","count":-1}"#),
            Some("lines[1].count"),
            "expected u32",
        );
        refused(
            &line(r#"{"sku":"b"}"#),
            Some("lines[1].count"),
            "missing field `count`",
        );
        refused(&line("7"), Some("lines[1]"), "expected struct Line");
    }

    #[test]
    fn what_is_not_one_object_is_refused() {
        refused("[5]", None, "not a JSON object");
        refused("5", None, "not a JSON object");
        refused("null", None, "not a JSON object");
        refused(r#"{"amount":5} x"#, None, "trailing characters");
        refused(r#"{"amount":5}{}"#, None, "trailing characters");
        refused(r#"{"amount":5"#, None, "EOF");
        refused(r#"{amount:5}"#, None, "not one JSON object");
        let long = format!(
            r#"{{"amount":5,"note":"{}"}}"#,
            "x".repeat(limits::ARGUMENT_BYTES_MAX)
        );
        refused(&long, None, "more than the limit of 1048576");
    }

    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    struct Login {
        user: String,
        #[serde(default, skip_serializing)]
        note: Option<String>,
    }

    #[derive(Debug, Serialize, Deserialize)]
    struct Secret {
        #[serde(skip_serializing)]
        #[expect(dead_code, reason = "it is read from JSON, and by no one")]
        password: String,
    }

    fn in_cents<'de, D: serde::Deserializer<'de>>(input: D) -> Result<u64, D::Error> {
        Ok(u64::deserialize(input)? * 100)
    }

    #[derive(Debug, Serialize, Deserialize)]
    struct Price {
        count: u32,
        #[serde(deserialize_with = "in_cents")]
        price: u64,
    }

    #[test]
    fn what_runs_is_read_from_what_is_logged() {
        let given = br#"{"user":"ada","note":"of no one's business"}"#;
        let (args, canonical) = accept::<Login>(given).unwrap();
        assert_eq!(canonical, r#"{"user":"ada"}"#);
        assert_eq!(args, decode::<Login>(&canonical).unwrap().0);
        let spelled = accept::<Args>(b" { \"amount\" : 5 } ").unwrap().1;
        assert_eq!(accept::<Args>(&spelled).unwrap().1, spelled);
    }

    #[test]
    fn what_does_not_read_back_is_refused() {
        let error = accept::<Secret>(br#"{"password":"x"}"#).unwrap_err();
        assert_eq!(error.field.as_deref(), Some("password"), "{error}");
        assert!(error.message.starts_with(NOT_READ_BACK), "{error}");
        let error = accept::<Price>(br#"{"count":1,"price":5}"#).unwrap_err();
        assert_eq!(error.field.as_deref(), Some("price"), "{error}");
        assert!(error.message.starts_with(NOT_READ_BACK), "{error}");
        assert!(accept::<Price>(br#"{"count":1,"price":0}"#).is_ok());
    }

    #[expect(clippy::disallowed_types, reason = "their order is what is tested")]
    #[test]
    fn an_order_by_chance_is_not_refused() {
        use std::collections::{HashMap, HashSet};

        #[derive(Serialize, Deserialize)]
        struct Tables {
            counts: HashMap<String, u32>,
            names: Vec<HashSet<String>>,
        }

        let names: Vec<_> = (0..64).map(|name| format!("\"{name}\"")).collect();
        let counts: Vec<_> = names.iter().map(|name| format!("{name}:7")).collect();
        let (names, counts) = (names.join(","), counts.join(","));
        let json = format!(r#"{{"counts":{{{counts}}},"names":[[{names}],[]]}}"#);
        let (args, canonical) = accept::<Tables>(json.as_bytes()).unwrap();
        let logged = decode::<Tables>(&canonical).unwrap().0;
        assert_eq!((args.counts, args.names), (logged.counts, logged.names));
    }
}
