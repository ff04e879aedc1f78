//! `config`: every setting, its value, and where that was said.

use clap::{Arg, ArgAction, Command};
use serde_json::{Map, Value, json};

use super::serve;
use crate::command::ExtraCommand;
use crate::config::{Config, Origin};
use crate::node;
use crate::settings::{self, Group, SETTINGS, Setting};

/// The command.
pub fn config() -> ExtraCommand {
    let markdown = Arg::new("markdown")
        .long("markdown")
        .action(ArgAction::SetTrue)
        .hide(true)
        .help("Print docs/configuration.md");
    let command = Command::new("config")
        .about("Print the settings in effect and where each was said")
        .arg(markdown);
    let groups = &[Group::Data, Group::Serve, Group::Client];
    ExtraCommand::new(command, groups, |context, given| {
        let (config, output) = (&context.config, context.output);
        if given.get_flag("markdown") {
            return Ok(output.line(settings::markdown().trim_end())?);
        }
        // What a start would refuse is refused here: a change is tried before it stops a server.
        node::options(config, &context.program)?;
        serve::server_config(config, false)?.check_tls()?;
        if output.json {
            let mut all = Map::new();
            for setting in SETTINGS {
                let origin = config.said(setting.key).origin.to_string();
                let value = shown(config, setting);
                all.insert(
                    setting.key.to_owned(),
                    json!({ "value": value, "origin": origin }),
                );
            }
            let tokens: Vec<&str> = config.tokens.iter().map(|token| token.name()).collect();
            all.insert(settings::TOKEN_TABLES.to_owned(), json!(tokens));
            return Ok(output.json(&Value::Object(all))?);
        }
        let mut rows = Vec::new();
        for setting in SETTINGS {
            let origin = match &config.said(setting.key).origin {
                Origin::Default => "default".to_owned(),
                said => said.to_string(),
            };
            rows.push(vec![setting.key.to_owned(), shown(config, setting), origin]);
        }
        for token in &config.tokens {
            rows.push(vec![
                "token".to_owned(),
                token.name().to_owned(),
                String::new(),
            ]);
        }
        Ok(output.table(&["setting", "value", "from"], &rows)?)
    })
}

fn shown(config: &Config, setting: &Setting) -> String {
    match (config.text(setting.key), setting.secret) {
        (None, _) => String::new(),
        (Some(_), true) => "(set)".to_owned(),
        (Some(text), false) => text.to_owned(),
    }
}
