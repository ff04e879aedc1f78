//! What an ill-meaning client can do to a server, one file a family of attacks. The server attacked is
//! a process of its own, so that its memory can be told from the attacker's; every attack is watched by
//! a canary on another connection, and is first made where it succeeds.

mod browser;
mod canary;
mod closes;
mod h2;
mod json;
mod keys;
mod matrix;
mod overload;
mod slow;
mod smuggling;
mod stream;
mod victim;
mod weak;
mod wire;

#[path = "../server/client.rs"]
#[allow(dead_code, reason = "shared with the other tests; here a part is used")]
mod client;
#[path = "../server/entities.rs"]
#[allow(dead_code, reason = "as above")]
mod entities;
#[path = "../server/world.rs"]
#[allow(dead_code, reason = "as above")]
mod world;
