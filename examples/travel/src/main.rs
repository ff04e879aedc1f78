//! A server of its own with the travel agency in it, and the whole command line: `cargo run -- dev`, then
//! `cargo run -- call …`.

fn main() -> std::process::ExitCode {
    ordain::main(ordain_example_travel::entities())
}
