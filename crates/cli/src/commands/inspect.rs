//! `get` and `invocation`: what an entity holds, and how a send ended.

use clap::{Arg, Command, value_parser};
use ordain_types::{EntityId, FieldKey, SendId};

use crate::command::ExtraCommand;
use crate::output::tell;
use crate::settings::Group;

/// The command `get`.
pub fn get() -> ExtraCommand {
    let entity = Arg::new("entity")
        .required(true)
        .value_name("TYPE/KEY")
        .value_parser(value_parser!(EntityId))
        .help("The entity, as in account/alice");
    let after = Arg::new("after")
        .long("after")
        .value_name("FIELD")
        .value_parser(value_parser!(FieldKey))
        .help("Only fields after this one");
    let limit = Arg::new("limit")
        .long("limit")
        .value_name("COUNT")
        .value_parser(value_parser!(u64))
        .help("At most so many fields");
    let command = Command::new("get")
        .about("Print an entity's state and fields")
        .args([entity, after, limit]);
    ExtraCommand::new(command, &[Group::Client], |context, given| {
        let entity = given.get_one::<EntityId>("entity").expect("it is required");
        let after = given.get_one::<FieldKey>("after");
        let limit = given.get_one::<u64>("limit").copied();
        let client = context.client()?;
        let state = context.wait(client.state(entity, after, limit))?;
        let output = context.output;
        if output.json {
            return Ok(output.json(&state)?);
        }
        output.value(state.state.as_ref().map_or("null", |state| state.get()))?;
        if !state.fields.is_empty() {
            let row = |field: &ordain_api::replies::Field| {
                vec![field.field.clone(), field.value.get().to_owned()]
            };
            let rows: Vec<_> = state.fields.iter().map(row).collect();
            output.table(&["field", "value"], &rows)?;
        }
        if let Some(next) = state.next {
            tell(format_args!("there are more fields: --after {next}"));
        }
        Ok(())
    })
}

/// The command `invocation`.
pub fn invocation() -> ExtraCommand {
    let id = Arg::new("id")
        .required(true)
        .value_parser(value_parser!(SendId))
        .help("What `send` printed, as in 1234.0");
    let command = Command::new("invocation")
        .about("Print how far a send is")
        .arg(id);
    ExtraCommand::new(command, &[Group::Client], |context, given| {
        let id = *given.get_one::<SendId>("id").expect("it is required");
        let client = context.client()?;
        let invocation = context.wait(client.invocation(id))?;
        let output = context.output;
        if output.json {
            return Ok(output.json(&invocation)?);
        }
        let status = serde_json::to_value(invocation.status).unwrap_or_default();
        let status = status.as_str().unwrap_or_default();
        output.line(format!(
            "{status} {}.{}",
            invocation.entity, invocation.method
        ))?;
        if let Some(seq) = invocation.seq {
            output.line(format!("seq {seq}"))?;
        }
        if let Some(value) = invocation.value {
            output.value(value.get())?;
        }
        if let Some(problem) = invocation.problem {
            output.line(problem)?;
        }
        Ok(())
    })
}
