//! The one binary: the whole command line with the examples' entities in it. Everything is in the
//! crates it puts together; your own server's `main` looks the same.

use std::process::ExitCode;

use ordain_example_marketplace as marketplace;
use ordain_example_movie as movie;
use ordain_example_probe as probe;
use ordain_example_retwis as retwis;
use ordain_example_smallbank as smallbank;
use ordain_example_transfer as transfer;
use ordain_example_travel as travel;

/// Arguments and replies are allocated on one thread and freed on another: an allocator made for that
/// about halves what a call costs. Worth copying into a `main` of your own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let entities = transfer::entities()
        .and(smallbank::entities())
        .and(marketplace::entities())
        .and(travel::entities())
        .and(movie::entities())
        .and(retwis::entities())
        .and(probe::entities());
    ordain_cli::run_hosting(entities, ordain::hosting(), ordain_bench::commands())
}
