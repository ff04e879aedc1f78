//! `token new`: a bearer token for a server, and the lines of settings that make the server know it.

use clap::{Arg, ArgMatches, Command};
use ordain_server::{Scope, Token};
use serde_json::json;

use crate::command::{Context, ExtraCommand};
use crate::exit::{Exit, Failure};
use crate::output::tell;

/// The command.
pub fn token() -> ExtraCommand {
    let name = Arg::new("name")
        .required(true)
        .help("Who will use it: the caller that methods see");
    let scope = Arg::new("scope")
        .long("scope")
        .required(true)
        .value_delimiter(',')
        .value_parser(|text: &str| text.parse::<Scope>())
        .help("What it is good for: some of call, read, admin, with commas between");
    let new = Command::new("new")
        .about("Make a token and print it, once, with the lines for ordain.toml")
        .args([name, scope]);
    let command = Command::new("token")
        .about("Bearer tokens for a server")
        .subcommand_required(true)
        .subcommand(new);
    ExtraCommand::new(command, &[], |context, given| match given.subcommand() {
        Some(("new", given)) => make(&context, given),
        _ => Err(Failure::usage("token needs new")),
    })
}

fn make(context: &Context, given: &ArgMatches) -> Result<(), Failure> {
    let name = given.get_one::<String>("name").expect("it is required");
    let mut scopes: Vec<Scope> = Vec::new();
    for scope in given.get_many::<Scope>("scope").into_iter().flatten() {
        if !scopes.contains(scope) {
            scopes.push(*scope);
        }
    }
    let mut random = [0; 32];
    getrandom::fill(&mut random).map_err(|error| Failure::new(Exit::Failed, error))?;
    let digits = random.iter().map(|byte| format!("{byte:02x}"));
    let token = format!("ordain_{}", digits.collect::<String>());
    let sha256 = Token::hash(&token);
    Token::new(name, &sha256, &scopes).map_err(Failure::usage)?;
    let scopes: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
    if context.output.json {
        let made = json!({ "token": token, "name": name, "scopes": scopes, "sha256": sha256 });
        return Ok(context.output.json(&made)?);
    }
    // JSON's strings and arrays of them are TOML's.
    let (name, scopes) = (json!(name), json!(scopes));
    context.output.line(token)?;
    tell("\nThe token is shown only now. For ordain.toml of the server:\n");
    context.output.line(format!(
        "[[token]]\nname = {name}\nscopes = {scopes}\nsha256 = \"{sha256}\""
    ))?;
    Ok(())
}
