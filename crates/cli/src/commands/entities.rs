//! `entities`: what can be called on a running server.

use clap::Command;
use ordain_api::{MethodDescription, Param};
use ordain_types::MethodKind;
use serde_json::Value;

use crate::command::ExtraCommand;
use crate::settings::Group;

/// The command.
pub fn entities() -> ExtraCommand {
    let command = Command::new("entities").about("Print the entity types and methods of a server");
    ExtraCommand::new(command, &[Group::Client], |context, _| {
        let client = context.client()?;
        let entities = context.wait(client.entities())?;
        if context.output.json {
            return Ok(context.output.json(&entities)?);
        }
        let rows = entities.entities.iter().flat_map(|entity| {
            entity
                .methods
                .iter()
                .map(|method| row(&entity.name, method))
        });
        let rows: Vec<_> = rows.collect();
        let head = ["entity", "method", "kind", "arguments", "value"];
        Ok(context.output.table(&head, &rows)?)
    })
}

fn row(entity: &str, method: &MethodDescription) -> Vec<String> {
    let kind = match method.kind {
        MethodKind::Query => "query",
        MethodKind::Update => "update",
    };
    let params: Vec<String> = method.params.iter().map(param).collect();
    vec![
        entity.to_owned(),
        method.name.clone(),
        kind.to_owned(),
        match method.any_args {
            true => "any".to_owned(),
            false => params.join(", "),
        },
        type_of(&method.result),
    ]
}

/// A parameter in a few words: `amount: integer`.
pub fn param(param: &Param) -> String {
    let optional = if param.required { "" } else { "?" };
    format!("{}{optional}: {}", param.name, type_of(&param.schema))
}

/// A schema in a word.
pub fn type_of(schema: &Value) -> String {
    match schema.get("type") {
        Some(Value::String(ty)) => ty.clone(),
        Some(Value::Array(types)) => {
            let names: Vec<_> = types.iter().filter_map(Value::as_str).collect();
            names.join(" or ")
        }
        _ => "any".to_owned(),
    }
}
