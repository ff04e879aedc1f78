//! Makes a component of a core module that was built for the world `ordain:runtime`, as
//! `wasm-tools component new` does: `cargo run -p ordain-hosts --example componentize -- IN OUT`.

#![expect(clippy::disallowed_methods, reason = "a tool reads and writes files")]

use std::process::ExitCode;

use wit_component::ComponentEncoder;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let (Some(from), Some(to)) = (args.next(), args.next()) else {
        eprintln!("usage: componentize IN OUT");
        return ExitCode::from(2);
    };
    let made = std::fs::read(&from)
        .map_err(|error| error.to_string())
        .and_then(|core| component(&core))
        .and_then(|component| std::fs::write(&to, component).map_err(|error| error.to_string()));
    match made {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{from} to {to}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn component(core: &[u8]) -> Result<Vec<u8>, String> {
    let made = ComponentEncoder::default()
        .validate(true)
        .module(core)
        .and_then(|mut encoder| encoder.encode());
    made.map_err(|error| format!("{error:#}"))
}
