//! The shop's server, with the whole command line in it.

fn main() -> std::process::ExitCode {
    ordain::main(shop::entities())
}
