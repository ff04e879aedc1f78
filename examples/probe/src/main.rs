//! A server of its own with the probe's entities in it, and the whole command line.

fn main() -> std::process::ExitCode {
    ordain::main(ordain_example_probe::entities())
}
