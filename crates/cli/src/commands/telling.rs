//! What a server tells: the messages of `tracing`, and how to call the entities it has.

use std::ffi::OsString;
use std::io::{self, IsTerminal};

use ordain_node::Catalog;
use ordain_types::{MethodKind, Param};
use serde_json::{Value, json};

use crate::config::Config;
use crate::exit::{Exit, Failure};
use crate::levels;
use crate::output::{Escaping, Messages, fields};

/// How deep a sample of an argument goes.
const DEPTH_MAX: u32 = 6;
/// The items that a sample of a list has at most.
const ITEMS_MAX: u64 = 8;

/// Sends the process's messages to standard error: to people on a terminal, as JSON otherwise. What comes back is to
/// be flushed before the process ends.
///
/// # Errors
/// If the level is none, or the system gives no thread to write with.
pub fn start(config: &Config) -> Result<Messages, Failure> {
    let level = config.text("log_level").unwrap_or("info");
    let filter = levels::filter(level).map_err(|bounds| config.unfit("log_level", &bounds))?;
    let messages = Messages::start(io::stderr()).map_err(|error| {
        let why = format!(
            "cannot start the thread that writes messages: {error}; allow this process more memory (address \
             space) or more threads"
        );
        Failure::new(Exit::Failed, why)
    })?;
    let to = messages.clone();
    let terminal = io::stderr().is_terminal();
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(move || to.message())
        .with_ansi(terminal && coloured(|name| std::env::var_os(name)));
    let human = match config.text("log_format") {
        Some("human") => true,
        Some("json") => false,
        _ => terminal,
    };
    let installed = match human {
        true => builder.fmt_fields(fields()).try_init(),
        false => {
            let to = messages.clone();
            builder
                .json()
                .flatten_event(true)
                .with_ansi(false)
                .with_writer(move || Escaping(to.message()))
                .try_init()
        }
    };
    // A program that has its own subscriber keeps it.
    let _ = installed;
    Ok(messages)
}

/// Whether whoever looks at a terminal takes colours (<https://no-color.org>), by the variables that say so.
fn coloured(variable: impl Fn(&str) -> Option<OsString>) -> bool {
    let unwanted = variable("NO_COLOR").is_some_and(|said| !said.is_empty());
    let unable = variable("TERM").is_some_and(|name| name == "dumb");
    !unwanted && !unable
}

/// Tells why a server ended as one message more: where JSON was asked for, all that is read is JSON. What `log_level` keeps
/// back is still to be said as text.
pub fn last_word(failure: Failure) -> Failure {
    match &failure.message {
        Some(why) if tracing::enabled!(tracing::Level::ERROR) => {
            tracing::error!(exit = failure.exit.code(), "{why}");
            Failure {
                message: None,
                ..failure
            }
        }
        _ => failure,
    }
}

/// A line to paste for each method; with `token`, one that shows the token of whoever pastes it.
pub fn curl_lines(catalog: &Catalog, url: &str, token: bool) -> Vec<String> {
    let token = match token {
        true => " -H \"Authorization: Bearer $ORDAIN_BEARER_TOKEN\"",
        false => "",
    };
    let mut lines = Vec::new();
    for entity in catalog.types() {
        for method in &entity.methods {
            let op = match method.kind {
                MethodKind::Query => "query",
                MethodKind::Update => "call",
            };
            let (name, args) = (&entity.name, arguments(&method.params));
            let method = &method.name;
            lines.push(format!(
                "curl {url}/v1/{op}/{name}/a/{method} --json '{args}'{token}"
            ));
        }
    }
    lines
}

/// Arguments that a method takes, to be pasted between single quotes, which a quote within them would end.
fn arguments(params: &[Param]) -> String {
    let args = params.iter().map(|param| {
        let schema = serde_json::from_str(&param.schema).unwrap_or_default();
        format!("{}:{}", json!(param.name), sample(&param.name, &schema, 0))
    });
    let args = args.collect::<Vec<_>>().join(",");
    format!("{{{args}}}").replace('\'', "\\u0027")
}

/// What is to be filled in: nothing is known of a value whose type is the program's own.
const UNKNOWN: &str = "…";

/// A value that fits a schema of those that methods have, if it is neither deep nor long.
fn sample(name: &str, schema: &Value, depth: u32) -> Value {
    let first = |key: &str| schema.get(key)?.as_array()?.first();
    if let Some(value) = schema.get("const").or_else(|| first("enum")) {
        return value.clone();
    }
    if depth == DEPTH_MAX {
        return Value::Null;
    }
    if let Some(one) = first("anyOf").or_else(|| first("oneOf")) {
        return sample(name, one, depth + 1);
    }
    let ty = schema.get("type");
    let ty = ty.and_then(|ty| ty.as_str().or_else(|| ty.as_array()?.first()?.as_str()));
    match ty {
        Some("integer") => json!(1),
        Some("number") => json!(1.5),
        Some("boolean") => json!(true),
        Some("string") => {
            let most = schema.get("maxLength").and_then(Value::as_u64);
            let most = most.map_or(usize::MAX, |most| most as usize);
            json!(name.chars().take(most).collect::<String>())
        }
        Some("array") => items(name, schema, depth),
        Some("object") => members(schema, depth),
        Some(_) => Value::Null,
        None => json!(UNKNOWN),
    }
}

/// A list with what must be in it.
fn items(name: &str, schema: &Value, depth: u32) -> Value {
    if let Some(first) = schema.get("prefixItems").and_then(Value::as_array) {
        return first.iter().map(|it| sample(name, it, depth + 1)).collect();
    }
    let least = schema.get("minItems").and_then(Value::as_u64);
    match (schema.get("items"), least.unwrap_or(0)) {
        (Some(item), least @ 1..=ITEMS_MAX) => {
            vec![sample(name, item, depth + 1); least as usize].into()
        }
        _ => json!([]),
    }
}

/// An object with the members that must be there.
fn members(schema: &Value, depth: u32) -> Value {
    let required = schema.get("required").and_then(Value::as_array);
    let names = required.into_iter().flatten().filter_map(Value::as_str);
    let member = |name: &str| {
        let schema = &schema["properties"][name];
        (name.to_owned(), sample(name, schema, depth + 1))
    };
    Value::Object(names.map(member).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_for_who_takes_them() {
        for (said, expected) in [
            (&[][..], true),
            (&[("TERM", "xterm"), ("NO_COLOR", "")], true),
            (&[("TERM", "xterm"), ("NO_COLOR", "0")], false),
            (&[("TERM", "dumb")], false),
        ] {
            let variable = |name: &str| {
                let found = said.iter().find(|(said, _)| *said == name);
                found.map(|(_, value)| OsString::from(value))
            };
            assert_eq!(coloured(variable), expected, "{said:?}");
        }
    }

    #[test]
    fn a_sample_fits_its_schema() {
        for (schema, expected) in [
            (json!({}), json!("…")),
            (json!({ "type": "null" }), json!(null)),
            (json!({ "type": "integer" }), json!(1)),
            (json!({ "type": ["string", "null"] }), json!("size")),
            (json!({ "type": "string", "maxLength": 1 }), json!("s")),
            (json!({ "const": "large" }), json!("large")),
            (json!({ "enum": ["small", "large"] }), json!("small")),
            (
                json!({ "anyOf": [{ "type": "array" }, { "type": "null" }] }),
                json!([]),
            ),
            (json!({ "oneOf": [{ "type": "boolean" }] }), json!(true)),
            (
                json!({ "type": "array", "prefixItems": [{ "type": "number" }, { "const": 2 }] }),
                json!([1.5, 2]),
            ),
            (
                json!({ "type": "array", "items": { "type": "integer" }, "minItems": 3 }),
                json!([1, 1, 1]),
            ),
            (
                json!({ "type": "array", "items": { "type": "integer" }, "minItems": 1_000_000 }),
                json!([]),
            ),
            (
                json!({ "type": "object", "additionalProperties": {} }),
                json!({}),
            ),
            (
                json!({
                    "type": "object",
                    "properties": { "to": { "type": "string" }, "of": { "type": "object" }, "by": {} },
                    "required": ["to", "of"],
                }),
                json!({ "to": "to", "of": {} }),
            ),
        ] {
            assert_eq!(sample("size", &schema, 0), expected, "{schema}");
        }
        let mut deep = json!({ "const": 1 });
        for _ in 0..100 {
            deep = json!({ "type": "array", "prefixItems": [deep] });
        }
        assert_eq!(sample("deep", &deep, 0), json!([[[[[[null]]]]]]));
    }

    #[test]
    fn no_quote_is_in_what_is_pasted_between_quotes() {
        let param = |name: &str, schema: Value| Param {
            name: name.to_owned(),
            schema: schema.to_string(),
            required: true,
        };
        let params = [
            param("it's", json!({ "type": "string" })),
            param("n", json!({ "const": "';rm" })),
        ];
        let args = arguments(&params);
        assert!(!args.contains('\''), "{args}");
        let read: Value = serde_json::from_str(&args).unwrap();
        assert_eq!(read, json!({ "it's": "it's", "n": "';rm" }));
    }
}
