//! What a server tells: the messages of `tracing`, and how to call the entities it has.

use std::io::{self, IsTerminal};

use ordain_node::Catalog;
use ordain_types::MethodKind;
use serde_json::{Value, json};

use crate::config::Config;
use crate::exit::{Exit, Failure};
use crate::levels;
use crate::output::{Escaping, Messages, fields};

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
        .with_ansi(terminal);
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
