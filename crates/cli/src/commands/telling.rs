//! What a server tells: the messages of `tracing`, and how to call the entities it has.

use std::io::{self, IsTerminal};

use ordain_node::Catalog;
use ordain_types::MethodKind;
use serde_json::{Value, json};
use tracing_subscriber::EnvFilter;

use crate::config::Config;
use crate::exit::Failure;
use crate::output::{Escaping, fields};

/// Below this level these libraries print headers and payloads, which no log may hold: whatever the
/// setting says, they stay above it.
const QUIET: &str = "h2=info,hyper=info,hyper_util=info,tungstenite=info,rustls=info";

/// Sends the process's messages to standard error: to people on a terminal, as JSON otherwise.
///
/// # Errors
/// If the level is none.
pub fn start(config: &Config) -> Result<(), Failure> {
    let level = config.text("log_level").unwrap_or("info");
    let filter = EnvFilter::builder()
        .parse(format!("{level},{QUIET}"))
        .map_err(|error| Failure::usage(format!("the setting log_level is `{level}`: {error}")))?;
    let terminal = io::stderr().is_terminal();
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(terminal)
        // It would say on standard error that it cannot write there, and panic since it cannot: where a reader went
        // away, or the disk that takes the messages is as full as the log's own.
        .log_internal_errors(false);
    let human = match config.text("log_format") {
        Some("human") => true,
        Some("json") => false,
        _ => terminal,
    };
    let installed = match human {
        true => builder.fmt_fields(fields()).try_init(),
        false => builder
            .json()
            .flatten_event(true)
            .with_ansi(false)
            .with_writer(|| Escaping(io::stderr()))
            .try_init(),
    };
    // A program that has its own subscriber keeps it.
    let _ = installed;
    Ok(())
}

/// A line to paste for each method.
pub fn curl_lines(catalog: &Catalog, url: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for entity in catalog.types() {
        for method in &entity.methods {
            let op = match method.kind {
                MethodKind::Query => "query",
                MethodKind::Update => "call",
            };
            let args = method.params.iter().map(|param| {
                let schema = serde_json::from_str(&param.schema).unwrap_or_default();
                format!("{}:{}", json!(param.name), sample(&param.name, &schema))
            });
            let args = args.collect::<Vec<_>>().join(",");
            // A quote within single quotes would end them; no sample holds one.
            let (name, method) = (&entity.name, &method.name);
            lines.push(format!(
                "curl {url}/v1/{op}/{name}/a/{method} --json '{{{args}}}'"
            ));
        }
    }
    lines
}

/// A value that fits a schema, if it is a simple one.
fn sample(name: &str, schema: &Value) -> Value {
    let ty = schema.get("type");
    let ty = ty.and_then(|ty| ty.as_str().or_else(|| ty.as_array()?.first()?.as_str()));
    match ty {
        Some("integer") => json!(1),
        Some("number") => json!(1.5),
        Some("boolean") => json!(true),
        Some("string") => json!(name),
        Some("array") => json!([]),
        Some("object") => json!({}),
        _ => Value::Null,
    }
}
