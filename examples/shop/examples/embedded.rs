//! The shop without a server: a node inside this program.

use ordain::{CallError, Node};
use shop::Stock;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let node = Node::open("embedded-data", shop::entities())?;

    let count = node.call(Stock::at("tea").add(2))?; // on disk when it returns
    println!("{count} in stock");

    match node.call(Stock::at("tea").take(100)) {
        Ok(left) => println!("{left} left"),
        Err(CallError::Rejected(no)) => println!("no: {} ({})", no.message, no.code),
        Err(other) => return Err(other.into()),
    }

    node.stop(); // the next start has nothing to replay
    Ok(())
}
